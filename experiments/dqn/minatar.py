"""Games of 10 x 10 on the device, MinAtar's and catch: what `atari` is for the emulator's."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.dqn.agent import Agent, frame_bytes, make_agent
from experiments.dqn.config import Config
from experiments.dqn.episodes import collect, make_scorer
from experiments.dqn.variants import Variant, full_agent
from lib.envs import replay
from lib.envs.frame_memory import check_memory
from lib.envs.games import make_game
from lib.run.keys import purpose
from lib.run.loop import initialise, member, train
from lib.run.watch import Watch

TESTED = 100
"""Games behind a final score."""


class Trained(NamedTuple):
    """`params`: one a seed. `history`: rows of the training, with `agent_steps` in each."""

    params: list[Any]
    history: list[dict]


def check(config: Config, name: str) -> None:
    """Raises UserError (code 2) if the memory of one agent does not fit this machine."""
    rows, one = config.replay // config.games, frame_bytes(make_game(name))
    check_memory(replay.bytes_needed(rows, config.games, one), config.replay)


def random_score(config: Config, name: str, key: jax.Array) -> float:
    """The mean score of a player that picks actions uniformly."""
    variant = full_agent(config)
    init = make_agent(config, name, variant).init
    # The player that never asks its network needs none that is of use.
    params = jax.eval_shape(init, key).learner.params
    params = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), params)
    return float(_scorer(config, name, variant)(params, key, 1.0).mean())


def train_agent(
    config: Config, name: str, variant: Variant, training: str, keys: jax.Array, watch: Watch
) -> Trained:
    """One agent a key, with a learning curve in its rows: `score` and `held_out_q`."""
    agent = make_agent(config, name, variant)
    score = make_curve(config, name, variant, training)
    trained = train(
        training,
        initialise(agent.init, jax.vmap(lambda k: purpose(k, "init"))(keys), conv=True),
        agent.step,
        keys,
        (),
        steps=config.steps // agent.agent_steps,
        every=config.chunk // agent.agent_steps,
        watch=watch,
        score=score,
        score_every=config.evaluate_every // agent.agent_steps,
        conv=True,
    )
    history = [row | {"agent_steps": row["step"] * agent.agent_steps} for row in trained.history]
    learners = trained.state.learner.params
    return Trained([member(learners, i) for i in range(len(keys))], history)


@functools.lru_cache(maxsize=8)
def make_curve(config: Config, name: str, variant: Variant, training: str):
    """`score(state)`: the mean score of fresh games, and mean max_a Q over states held out for good."""
    agent, key = make_agent(config, name, variant), purpose(jax.random.key(0), training)
    held_out = collect(agent, purpose(key, "held out"), config.held_out)
    scorer = make_scorer(agent, config.episodes, config.most_steps)
    best = jax.jit(lambda params: agent.value(params, held_out).max(axis=1).mean())

    def score(state) -> dict[str, float]:
        params = state.learner.params
        fresh = jax.random.fold_in(key, state.memory.added)
        return {
            "score": float(scorer(params, fresh, config.evaluate_epsilon).mean()),
            "held_out_q": float(best(params)),
        }

    return score


def final_scores(
    config: Config, name: str, variant: Variant, params: Any, key: jax.Array
) -> np.ndarray:
    """The raw scores of `TESTED` games of a trained agent."""
    return np.asarray(_scorer(config, name, variant)(params, key, config.evaluate_epsilon))


@functools.lru_cache(maxsize=8)
def _scorer(config: Config, name: str, variant: Variant):
    return make_scorer(make_agent(config, name, variant), TESTED, config.most_steps)


def pictures(agent: Agent, frames: np.ndarray) -> np.ndarray:
    """The newest of packed frames `[t, history, bytes]` as bool `[t, h, w, c]`."""
    bits = np.unpackbits(frames[:, -1], axis=-1, count=int(np.prod(agent.game.shape)))
    return bits.reshape(len(frames), *agent.game.shape).astype(bool)
