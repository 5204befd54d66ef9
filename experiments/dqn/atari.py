"""Real Atari: emulators and the replay memory on the host, the network on the device, side by side."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.dqn.agent import exploration, make_rule, pace, renews_target
from experiments.dqn.config import Config
from experiments.dqn.minatar import Trained
from experiments.dqn.variants import Variant
from lib.envs import atari as emulator
from lib.envs.frame_memory import FrameMemory, bytes_needed, check_memory
from lib.models.q_network import NETWORKS
from lib.run import loop
from lib.run.keys import purpose
from lib.run.watch import Watch
from lib.steps.q_learning import QState, Transitions, init_state

SHAPE = (emulator.SIDE, emulator.SIDE)


def check(config: Config, name: str) -> None:
    """Raises UserError (code 2): no such game, its packages are missing, or too little memory."""
    emulator.check(name)
    rows = config.replay // config.games
    check_memory(bytes_needed(rows, config.games, SHAPE), config.replay)


class Network:
    """The compiled functions of one variant's network; uint8 frames `[n, 84, 84, history]` in."""

    def __init__(self, config: Config, variant: Variant, actions: int):
        net = NETWORKS[variant.network](actions)

        def value(params, frames):
            return net.apply({"params": params}, frames.astype(jnp.float32) / 255)

        def init(key):
            frames = jnp.zeros((1, *SHAPE, variant.history))
            return init_state(net.init(key, frames)["params"], tx)

        tx, learn = make_rule(config, variant, value)
        self.init, self.value = jax.jit(init), jax.jit(value)
        # The parameters before an update still play while it is computed: they are not donated.
        self.learn = jax.jit(learn)
        self.best = jax.jit(lambda params, frames: value(params, frames).max(axis=1).mean())


@functools.lru_cache(maxsize=8)
def network(config: Config, variant: Variant, actions: int) -> Network:
    """Compiled once a process."""
    return Network(config, variant, actions)


class Player:
    """Games under way, and the last `history` frames of each, uint8 `[E, 84, 84, history]`."""

    def __init__(self, config: Config, name: str, games: int, history: int, seed: int, **settings):
        settings = {
            "frame_skip": config.frame_skip,
            "repeat_action": config.sticky,
            "preprocessing": config.preprocessing,
            **settings,
        }
        self.games = emulator.Games(name, games, seed, **settings)
        self.actions = self.games.actions
        self.frames = np.zeros((games, *SHAPE, history), np.uint8)
        self._look()

    def _look(self) -> None:
        self.frames = np.roll(self.frames, -1, axis=-1)
        self.frames[self.games.first] = 0
        self.frames[..., -1] = self.games.frames

    def act(self, rng: np.random.Generator, epsilon: float, value) -> np.ndarray:
        """An action a game, epsilon-greedy; `value(frames)` is asked only if one is greedy."""
        n = len(self.frames)
        random, explore = rng.integers(self.actions, size=n), rng.random(n) < epsilon
        if explore.all():
            return random
        q = np.asarray(value(self.frames))
        best = q == q.max(axis=1, keepdims=True)
        greedy = np.argmax(best * (1 + rng.random(q.shape)), axis=1)
        return np.where(explore, random, greedy)

    def step(self, actions: np.ndarray):
        """`(reward [E], terminal [E], over [E])`, raw."""
        outcome = self.games.step(actions)
        self._look()
        return outcome


def train_agent(
    config: Config, name: str, variant: Variant, training: str, keys: jax.Array, watch: Watch
) -> Trained:
    """One agent a key, one after another, with a learning curve in its rows."""
    each = [
        _train_one(config, name, variant, f"{training}-{i}", key, watch)
        for i, key in enumerate(keys)
    ]
    rows = zip(*(one.history for one in each), strict=True)
    merged = [{k: _together([row[k] for row in same]) for k in same[0]} for same in rows]
    steps = [{"agent_steps": row["step"] * pace(config).agent_steps} for row in merged]
    history = [row | more for row, more in zip(merged, steps, strict=True)]
    return Trained([one.state.params for one in each], history)


def _together(values: list) -> Any:
    """What differs between seeds is a list with one element a seed."""
    return [v for each in values for v in each] if isinstance(values[0], list) else values[0]


def _train_one(
    config: Config, name: str, variant: Variant, training: str, key: jax.Array, watch: Watch
) -> loop.Trained:
    games, (plays, updates, agent_steps) = config.games, pace(config)
    seed = int(jax.random.bits(purpose(key, "emulator")))
    player = Player(config, name, games, variant.history, seed)
    net = network(config, variant, player.actions)
    held_out = _random_states(config, name, variant)
    rows = config.replay // games if variant.replay else config.batch + variant.history + 2
    memory = FrameMemory(rows, games, variant.history, SHAPE, watch.folder(training))

    def play(rng, epsilon, value) -> tuple[float, float]:
        frames, first = player.games.frames, player.games.first
        actions = player.act(rng, epsilon, value)
        reward, terminal, over = player.step(actions)
        memory.add(frames, first, actions, np.clip(reward, -1, 1), terminal)
        return float(reward.mean()), float(over.mean())

    rng = np.random.default_rng([seed, 0])
    while memory.added * games < config.replay_start:
        play(rng, 1.0, None)

    def chunk(learner: QState, done: int, length: int):
        rng = np.random.default_rng([seed, 1, done])
        played, learned = np.zeros(2), []
        for t in range(done, done + length):
            epsilon = exploration(config, t * agent_steps, np)
            # The update is computed while the emulators run: they follow the parameters before it.
            acting = learner.params
            for u in range(updates):
                batch = draw(memory, config, variant, rng)
                learner, metrics = net.learn(learner, Transitions(*batch))
                learned.append(metrics)
                if variant.target and renews_target(config, t * updates + u):
                    learner = learner.replace(target=learner.params)
            for _ in range(plays):
                played += play(rng, epsilon, lambda frames: net.value(acting, frames))
        memory.flush()
        each = np.array([[m["loss"], m["q"]] for m in jax.device_get(learned)])
        loss, q = each.mean(axis=0).tolist()
        if not np.isfinite([loss, q]).all():
            watch.non_finite(training, done + length, "loss")
        reward, ended = (played / (length * plays)).tolist()
        return learner, {"loss": [loss], "q": [q], "reward": [reward], "ended": [ended]}

    def scores(learner: QState, done: int) -> dict[str, list[float]]:
        points = play_games(config, name, variant, learner.params, done, config.episodes)
        best = float(net.best(learner.params, held_out))
        return {"score": [float(points.mean())], "held_out_q": [best]}

    trained = loop.train_on_host(
        training,
        net.init(purpose(key, "init")),
        chunk,
        steps=config.steps // agent_steps,
        every=config.chunk // agent_steps,
        watch=watch,
        scores=scores,
        score_every=config.evaluate_every // agent_steps,
    )
    memory.close()
    player.games.close()
    return trained


def draw(memory: FrameMemory, config: Config, variant: Variant, rng: np.random.Generator):
    """What an update learns from: transitions of the whole memory, or without replay the newest."""
    return memory.sample(rng, config.batch) if variant.replay else memory.newest(config.batch)


def play_games(
    config: Config,
    name: str,
    variant: Variant,
    params: Any,
    seed: int,
    episodes: int,
    epsilon: float | None = None,
) -> np.ndarray:
    """The raw scores of `episodes` whole games (no life loss, cut after `most_steps`), `[episodes]`."""
    epsilon = config.evaluate_epsilon if epsilon is None else epsilon
    frames = config.most_steps * config.frame_skip
    games = min(4, episodes)
    player = Player(config, name, games, variant.history, seed, life_loss=False, max_frames=frames)
    net = network(config, variant, player.actions) if params is not None else None
    rng = np.random.default_rng([seed, 2])
    # Each emulator plays its share of the games, so that short games do not count more often.
    left = np.array([episodes // games + (e < episodes % games) for e in range(games)])
    total, scores = np.zeros(games), []
    while left.any():
        actions = player.act(rng, epsilon, lambda frames: net.value(params, frames))
        reward, _, over = player.step(actions)
        total += reward
        scores += total[over & (left > 0)].tolist()
        left -= over & (left > 0)
        total[over] = 0
    player.games.close()
    return np.array(scores)


def final_scores(
    config: Config, name: str, variant: Variant, params: Any, key: jax.Array
) -> np.ndarray:
    """The raw scores of `episodes` games of a trained agent."""
    seed = int(jax.random.bits(key))
    return play_games(config, name, variant, params, seed, config.episodes)


def random_score(config: Config, name: str, key: jax.Array) -> float:
    """The mean score of a player that picks actions uniformly."""
    variant = Variant("dqn", 1.0, config.network, config.history)
    seed = int(jax.random.bits(key))
    return float(play_games(config, name, variant, None, seed, config.episodes, 1.0).mean())


def _random_states(config: Config, name: str, variant: Variant) -> np.ndarray:
    """Every 10th state of a random player, the same for every agent of the game."""
    player = Player(config, name, 1, variant.history, 0)
    rng, states = np.random.default_rng(0), []
    for t in range(10 * config.held_out):
        if t % 10 == 0:
            states.append(player.frames[0])
        player.step(player.act(rng, 1.0, None))
    player.games.close()
    return np.stack(states)
