"""Games on the device that a trained agent plays: their scores, and one of them step by step."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.dqn.agent import Agent, Playing, frame_bytes, pack
from lib.envs.games import anew_where
from lib.run.keys import many_keys
from lib.steps.q_learning import epsilon_greedy

Params = Any


class Seen(NamedTuple):
    """A stretch of one game, step by step: what was on the screen, and what the agent made of it.

    `frames` uint8 [t, history, bytes], packed; `q` [t, actions]; `features` [t, hidden], what the last
    layer sees; `action` int32 [t]; `reward` [t] and `terminal` bool [t], what the action brought.
    """

    frames: jax.Array
    q: jax.Array
    features: jax.Array
    action: jax.Array
    reward: jax.Array
    terminal: jax.Array


def begin(agent: Agent, keys: jax.Array) -> Playing:
    """New games, one a key `[n]`."""
    n = len(keys)
    states = jax.vmap(agent.game.reset)(keys)
    frames = jnp.zeros((n, agent.history, frame_bytes(agent.game)), jnp.uint8)
    return Playing(states, frames.at[:, -1].set(pack(agent.game, states)), jnp.ones(n, bool))


def go_on(agent: Agent, playing: Playing, action: jax.Array, keys: jax.Array):
    """`(playing, reward [n], terminal [n])` after one step; nothing begins anew. `keys` `[n]`."""
    states, reward, over = jax.vmap(agent.game.step)(playing.games, action, keys)
    new = pack(agent.game, states)[:, None]
    frames = jnp.concatenate([playing.frames[:, 1:], new], axis=1)
    return Playing(states, frames, jnp.zeros_like(over)), reward, over


def make_scorer(agent: Agent, episodes: int, most_steps: int) -> Callable:
    """`score(params, key, epsilon) -> [episodes]`: the raw score of so many games, cut after `most_steps`."""

    def score(params, key, epsilon):
        begin_key, key = jax.random.split(key)
        start = begin(agent, jax.random.split(begin_key, episodes))

        def unfinished(carry):
            _, _, over, t = carry
            return (t < most_steps) & ~over.all()

        def step(carry):
            playing, total, over, t = carry
            act_key, keys = many_keys(jax.random.fold_in(key, t), (), (episodes,))
            action = epsilon_greedy(act_key, agent.value(params, playing.frames), epsilon)
            playing, reward, ended = go_on(agent, playing, action, keys)
            return playing, total + jnp.where(over, 0, reward), over | ended, t + 1

        nothing = jnp.zeros(episodes)
        first = (start, nothing, nothing > 0, jnp.int32(0))
        return jax.lax.while_loop(unfinished, step, first)[1]

    return jax.jit(score)


@functools.partial(jax.jit, static_argnums=(0, 2))
def collect(agent: Agent, key: jax.Array, states: int) -> jax.Array:
    """Every 10th state of a random policy, uint8 `[states, history, bytes]`: held out for the Q curve."""

    def step(playing, key):
        act_key, step_keys, reset_keys = many_keys(key, (), (1,), (1,))
        action = jax.random.randint(act_key, (1,), 0, agent.game.actions)
        after, _, over = go_on(agent, playing, action, step_keys)
        return anew_where(over, begin(agent, reset_keys), after), playing.frames[0]

    begin_key, key = jax.random.split(key)
    start = begin(agent, begin_key[None])
    return jax.lax.scan(step, start, jax.random.split(key, 10 * states))[1][::10]


def make_watcher(
    agent: Agent, epsilon: float, steps: int, script: Callable | None = None
) -> Callable:
    """`watch(params, key) -> Seen` of `steps` steps; a new game begins when one ends.

    `script(state, t) -> (state, action)` plays instead of the agent, which then only looks on; what
    it changes in the state shows a step later.
    """

    def watch(params, key):
        begin_key, key = jax.random.split(key)

        def step(playing, item):
            key, t = item
            act_key, step_keys, reset_keys = many_keys(key, (), (1,), (1,))
            q = agent.value(params, playing.frames)
            features = agent.net.apply(
                {"params": params}, agent.look(playing.frames), features=True
            )
            if script is None:
                action = epsilon_greedy(act_key, q, epsilon)
            else:
                games, action = jax.vmap(script, (0, None))(playing.games, t)
                playing = playing.replace(games=games)
            after, reward, over = go_on(agent, playing, action, step_keys)
            seen = Seen(playing.frames, q, features, action, reward, over)
            after = anew_where(over, begin(agent, reset_keys), after)
            return after, jax.tree.map(lambda x: x[0], seen)

        start = begin(agent, begin_key[None])
        return jax.lax.scan(step, start, (jax.random.split(key, steps), jnp.arange(steps)))[1]

    return jax.jit(watch)
