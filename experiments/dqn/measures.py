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
from experiments.dqn.scripts import MEASURES, SCRIPTS
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
    metrics, arrays = {}, {}
    agent = make_agent(config, name, variant)
    watch = make_watcher(agent, config.evaluate_epsilon, MAPPED)
    games = [jax.device_get(watch(p, purpose(key, "own"))) for p in params]
    values = [game.q.max(axis=1) for game in games]
    planes = [embed(game.features) for game in games]
    raw = [embed(untrained_features(agent, game.frames, purpose(key, "raw"))) for game in games]
    agree, raw_agree = (
        [neighbours_agree(plane, value) for plane, value in zip(each, values, strict=True)]
        for each in (planes, raw)
    )
    metrics[f"{name}_neighbours_agree"] = agree
    metrics[f"{name}_neighbours_untrained"] = raw_agree
    metrics[f"{name}_neighbours_gain"] = [a - b for a, b in zip(agree, raw_agree, strict=True)]
    arrays |= {f"{name}_tsne": planes[0], f"{name}_tsne_untrained": raw[0]}
    arrays[f"{name}_tsne_value"] = values[0]
    arrays[f"{name}_tsne_pictures"] = minatar.pictures(agent, games[0].frames)
    arrays[f"{name}_played"] = arrays[f"{name}_tsne_pictures"][:SHOWN]
    arrays[f"{name}_played_q"] = games[0].q[:SHOWN]
    arrays[f"{name}_played_reward"] = games[0].reward[:SHOWN]
    if name in SCRIPTS:
        steps, script = SCRIPTS[name]
        # The script's actions are to be what happens.
        steady = make_agent(replace(config, sticky=0.0), name, variant)
        scripted = make_watcher(steady, 0.0, steps, script)
        games = [jax.device_get(scripted(p, purpose(key, "script"))) for p in params]
        values = [game.q.max(axis=1) for game in games]
        metrics |= MEASURES[name](values, games)
        arrays[f"{name}_scripted"] = minatar.pictures(agent, games[0].frames)
        arrays[f"{name}_scripted_value"] = np.stack(values)
        arrays[f"{name}_scripted_reward"] = games[0].reward
    return Result(metrics, arrays=arrays)
