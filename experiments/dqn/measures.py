"""The numbers behind the papers' statements: how curves go, what values do, where states lie."""

from dataclasses import replace

import jax
import numpy as np
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from experiments.dqn import minatar
from experiments.dqn.agent import Agent, make_agent
from experiments.dqn.config import Config
from experiments.dqn.episodes import make_watcher
from experiments.dqn.scripts import MEASURES, OWN, SCRIPTS, own_values, value_error
from experiments.dqn.variants import Variant
from lib.run.keys import purpose
from lib.run.result import Result

MAPPED = 1_000
"""States of an agent's own play that t-SNE maps."""
SHOWN = 300
"""Steps of the agent's own play that are kept for the animation."""


def travel(curve: np.ndarray) -> float:
    """How far `curve` `[t]` goes up and down, over its range: 1 if it only rises, large if it is noise."""
    span = np.ptp(curve)
    return float(np.abs(np.diff(curve)).sum() / span) if span > 0 else np.inf


def training_score(history: list[dict], steps: int) -> list[float]:
    """The mean raw return of the episodes of the last `steps` agent steps of a training, seed by seed.

    Rows hold means a step of the reward and of how often an episode ended: what was won over what was played.
    """
    last = [row for row in history if row["agent_steps"] > history[-1]["agent_steps"] - steps]
    won, ended = (np.sum([row[what] for row in last], axis=0) for what in ("reward", "ended"))
    return (won / np.where(ended > 0, ended, np.nan)).tolist()


def embed(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """t-SNE of `features` `[n, d]` in the plane, `[n, 2]` (van der Maaten & Hinton 2008)."""
    perplexity = min(30, (len(features) - 1) / 3)
    # Its threads spin while they wait for each other: on a busy machine two are six times as slow as one.
    with threadpool_limits(1, user_api="openmp"):
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(features)


def neighbours_agree(plane: np.ndarray, value: np.ndarray, k: int = 10) -> float:
    """The share of the variance of `value` `[n]` that the mean over the k nearest in `plane` explains."""
    near = NearestNeighbors(n_neighbors=min(k, len(plane) - 1) + 1).fit(plane)
    others = near.kneighbors(plane, return_distance=False)[:, 1:]
    left = np.mean((value - value[others].mean(axis=1)) ** 2)
    return float(1 - left / value.var()) if value.var() > 0 else np.nan


def untrained_features(agent: Agent, frames: np.ndarray, key: jax.Array) -> np.ndarray:
    """What the last layer of a network that has learned nothing sees in `frames`, `[t, hidden]`."""

    def features(frames, key):
        pictures = agent.look(frames)
        params = agent.net.init(key, pictures[:1])
        return agent.net.apply(params, pictures, features=True)

    return np.asarray(jax.jit(features)(frames, key))


def looks(config: Config, name: str, variant: Variant, params: list, key: jax.Array) -> Result:
    """What the values do along a game (Figure 3 of 2013), and how the last layer sees states (Figure 4)."""
    agent = make_agent(config, name, variant)
    watch = make_watcher(agent, config.evaluate_epsilon, MAPPED)
    games = [jax.device_get(watch(p, purpose(key, "own"))) for p in params]
    own = games[0]
    played = {
        "": minatar.pictures(agent, own.frames),
        **{"_q": own.q, "_reward": own.reward, "_over": own.terminal},
    }
    film = Result({}, arrays={f"{name}_played{what}": x[:SHOWN] for what, x in played.items()})
    result = film | maps(agent, name, games, purpose(key, "raw"))
    if name in OWN:
        result |= Result(own_values(name, [game.q.max(axis=1) for game in games], games))
    if name in SCRIPTS:
        result |= scripted(config, name, variant, params, games, purpose(key, "script"))
    return result


def maps(agent: Agent, name: str, games: list, key: jax.Array) -> Result:
    """t-SNE of the last layer, and of that of a network which has learned nothing, for the same states."""
    values = [game.q.max(axis=1) for game in games]
    planes = {
        "": [embed(game.features) for game in games],
        "_untrained": [embed(untrained_features(agent, game.frames, key)) for game in games],
    }
    agree, untrained = (
        [neighbours_agree(plane, value) for plane, value in zip(each, values, strict=True)]
        for each in planes.values()
    )
    metrics = {
        f"{name}_neighbours_agree": agree,
        f"{name}_neighbours_untrained": untrained,
        f"{name}_neighbours_gain": [
            1 - (1 - a) / (1 - b) for a, b in zip(agree, untrained, strict=True)
        ],
    }
    arrays = {f"{name}_tsne{network}": each[0] for network, each in planes.items()}
    arrays[f"{name}_tsne_value"] = values[0]
    arrays[f"{name}_tsne_pictures"] = minatar.pictures(agent, games[0].frames)
    return Result(metrics, arrays=arrays)


def scripted(config: Config, name: str, variant: Variant, params: list, own: list, key) -> Result:
    """What the values do along a script's game, and how true they are there and in the agent's `own`."""
    steps, script = SCRIPTS[name]
    # The script's actions are to be what happens.
    agent = make_agent(replace(config, sticky=0.0), name, variant)
    watch = make_watcher(agent, 0.0, steps, script)
    games = [jax.device_get(watch(p, key)) for p in params]
    values = [game.q.max(axis=1) for game in games]
    metrics = MEASURES[name](values, games)
    for where, each in (("own", own), ("script", games)):
        metrics[f"{name}_value_error_{where}"] = [value_error(g, config.gamma) for g in each]
    arrays = {
        f"{name}_scripted": minatar.pictures(agent, games[0].frames),
        f"{name}_scripted_value": np.stack(values),
        f"{name}_scripted_reward": games[0].reward,
    }
    return Result(metrics, arrays=arrays)
