"""How an agent plays, remembers and learns on the device: all of it is one compiled loop.

What it shares with agents of real Atari comes first: the learning rule, epsilon, when the target is renewed.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.dqn.config import Config
from experiments.dqn.variants import Variant
from lib.envs import replay
from lib.envs.games import Game, make_game, reset_where
from lib.models.q_network import NETWORKS
from lib.run.keys import many_keys
from lib.steps import q_learning
from lib.steps.q_learning import QState, Transitions, epsilon_greedy

Params = Any


class Pace(NamedTuple):
    """An iteration: as many `plays` of all games, and as many `updates`, as the next whole of both."""

    plays: int
    updates: int
    agent_steps: int
    """Over all games."""


def pace(config: Config) -> Pace:
    """How playing and learning take turns."""
    plays = max(1, config.update_every // config.games)
    return Pace(plays, max(1, config.games // config.update_every), plays * config.games)


def exploration(config: Config, step: jax.Array | int, xp=jnp) -> jax.Array:
    """Epsilon at agent step `step`: from 1 to its final value along a line, then there; `xp` computes it."""
    left = 1 - xp.minimum(step / config.epsilon_steps, 1)
    return config.epsilon + (1 - config.epsilon) * left


def renews_target(config: Config, update: jax.Array | int) -> jax.Array | bool:
    """Whether the target becomes a copy of the network after update number `update`, counted from 0."""
    agent_steps = (update + 1) * config.update_every
    return agent_steps % config.target_every < config.update_every


def make_rule(config: Config, variant: Variant, value: Callable) -> tuple:
    """The optimiser, and `learn(QState, Transitions) -> (QState, metrics)`.

    RMSProp is the released code's, centred (Mnih et al. 2015, Extended Data Table 1):

        g <- 0.95 g + 0.05 grad,   n <- 0.95 n + 0.05 grad^2,
        theta <- theta - lr grad / sqrt(n - g^2 + 0.01)

    Both "momenta" of the paper's table are averaging constants: there is no velocity. The "min squared
    gradient" is inside the root, so that the scale of the gradient matters: a sum is not a mean.
    """
    rate = variant.learning_rate
    tx = optax.rmsprop(rate, decay=0.95, eps=0.01, centered=True, eps_in_sqrt=True)
    learn = q_learning.q_learning(
        value,
        tx,
        gamma=config.gamma,
        separate_target=variant.target,
        clip_error=config.error == "clipped",
        reduce=config.reduce,
    )
    return tx, learn


@flax.struct.dataclass
class Playing:
    """E games under way. `frames` uint8 [E, history, bytes]: what the agent sees of each, packed."""

    games: Any
    frames: jax.Array
    first: jax.Array


@flax.struct.dataclass
class AgentState:
    """All there is of an agent in training: what it knows, where its games stand, what it remembers."""

    learner: QState
    playing: Playing
    memory: replay.Replay


class Agent(NamedTuple):
    """Pure functions of one game and variant.

    Attributes:
      game, net, history: what it plays, the Flax module, how many frames it sees.
      look: `look(frames uint8 [n, history, bytes]) -> float32 [n, h, w, history * c]`.
      value: `value(params, frames) -> q [n, actions]`.
      init: `init(key) -> AgentState`, with `replay_start` random steps in the memory.
      step: an iteration for `lib.run.loop.train`.
      agent_steps: that an iteration plays, over all games.
    """

    game: Game
    net: Any
    history: int
    look: Callable[[jax.Array], jax.Array]
    value: Callable[[Params, jax.Array], jax.Array]
    init: Callable[[jax.Array], AgentState]
    step: Callable
    agent_steps: int


def frame_bytes(game: Game) -> int:
    """Bytes of one packed frame."""
    return -(-int(np.prod(game.shape)) // 8)


@functools.lru_cache(maxsize=16)
def make_agent(config: Config, name: str, variant: Variant) -> Agent:
    """The agent for the device game `name`; the same functions each time, so that they are compiled once."""
    game = make_game(name, sticky=config.sticky, hide=variant.hide)
    history, games = variant.history, config.games
    net = NETWORKS[variant.network](game.actions)

    def look(frames):
        bits = jnp.unpackbits(frames, axis=-1, count=int(np.prod(game.shape)))
        pictures = bits.reshape(*frames.shape[:2], *game.shape)
        pictures = jnp.moveaxis(pictures, 1, 3).reshape(len(frames), *game.shape[:2], -1)
        return pictures.astype(jnp.float32)

    def value(params, frames):
        return net.apply({"params": params}, look(frames))

    tx, learn = make_rule(config, variant, value)

    def play_on(playing: Playing, memory, action, step_keys, reset_keys):
        """One step of each game, remembered; `(playing, memory, reward [E], terminal [E])`."""
        states, reward, over = jax.vmap(game.step)(playing.games, action, step_keys)
        clipped = jnp.clip(reward, -1, 1)
        memory = replay.add(memory, playing.frames[:, -1], playing.first, action, clipped, over)
        states = reset_where(game, over, states, reset_keys)
        recent = jnp.where(over[:, None, None], 0, playing.frames[:, 1:])
        frames = jnp.concatenate([recent, pack(game, states)[:, None]], axis=1)
        return Playing(states, frames, over), memory, reward, over

    def init(key):
        net_key, reset_key, play_key = jax.random.split(key, 3)
        states = jax.vmap(game.reset)(jax.random.split(reset_key, games))
        frames = jnp.zeros((games, history, frame_bytes(game)), jnp.uint8)
        frames = frames.at[:, -1].set(pack(game, states))
        params = net.init(net_key, look(frames))["params"]
        playing = Playing(states, frames, jnp.ones(games, bool))
        rows = config.replay // games if variant.replay else config.batch + history
        memory = replay.empty(rows, games, frame_bytes(game))

        def random(state, key):
            act_key, step_keys, reset_keys = many_keys(key, (), (games,), (games,))
            action = jax.random.randint(act_key, (games,), 0, game.actions)
            playing, memory, *_ = play_on(*state, action, step_keys, reset_keys)
            return (playing, memory), None

        keys = jax.random.split(play_key, config.replay_start // games)
        (playing, memory), _ = jax.lax.scan(random, (playing, memory), keys)
        return AgentState(q_learning.init_state(params, tx), playing, memory)

    plays, updates, agent_steps = pace(config)

    def step(state: AgentState, data, key, t):
        del data
        key = jax.random.fold_in(key, t)
        learn_keys, *play_keys = many_keys(
            key, (updates,), (plays,), (plays, games), (plays, games)
        )
        epsilon = exploration(config, t * agent_steps)

        # Learning comes before playing: what reads the memory first can then be written in place.
        def update(learner, item):
            key, u = item
            if variant.replay:
                batch = replay.sample(state.memory, key, config.batch, history)
            else:
                batch = replay.newest(state.memory, config.batch, history)
            learner, metrics = learn(learner, Transitions(*batch))
            if variant.target:
                now = renews_target(config, t * updates + u)
                learner = q_learning.renew_target(learner, now)
            return learner, metrics

        items = (learn_keys, jnp.arange(updates))
        learner, metrics = jax.lax.scan(update, state.learner, items, unroll=min(updates, 4))

        learner, memory = jax.lax.optimization_barrier((learner, state.memory))

        def play(carry, keys):
            playing, memory = carry
            q = value(learner.params, playing.frames)
            act_key, step_keys, reset_keys = keys
            action = epsilon_greedy(act_key, q, epsilon)
            playing, memory, reward, over = play_on(playing, memory, action, step_keys, reset_keys)
            return (playing, memory), (reward.mean(), over.mean(dtype=jnp.float32))

        (playing, memory), (reward, over) = jax.lax.scan(
            play, (state.playing, memory), play_keys, unroll=True
        )
        metrics = jax.tree.map(jnp.mean, metrics)
        metrics |= {"reward": reward.mean(), "ended": over.mean()}
        return AgentState(learner, playing, memory), metrics

    return Agent(game, net, history, look, value, init, step, agent_steps)


def pack(game: Game, states: Any) -> jax.Array:
    """The pictures of `states` `[n, ...]` as uint8 `[n, bytes]`, a bit a cell."""
    pictures = jax.vmap(game.observe)(states)
    return jnp.packbits(pictures.reshape(len(pictures), -1), axis=-1)
