"""The numbers behind the papers' statements, from curves, values and scores."""

from dataclasses import replace

import jax
import numpy as np
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from experiments.dqn import device
from experiments.dqn.agent import make_agent
from experiments.dqn.config import Config, Variant
from experiments.dqn.watching import APPEARS, keep_the_ball, make_watcher, meet_a_fish, run_across
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


def around_rewards(
    value: np.ndarray, reward: np.ndarray, terminal: np.ndarray, before: int = 4, after: int = 2
) -> np.ndarray:
    """`value` `[t]` around each reward that stands alone: `[rewards, before + 1 + after]`.

    Column `before` is the state whose action brings it. A reward stands alone if no other, and no end of
    a game, is as near as the columns reach.
    """
    busy = (reward != 0) | terminal
    windows = []
    for t in np.flatnonzero(reward > 0):
        low, high = t - before, t + after + 1
        if low >= 0 and high <= len(value) and busy[low:high].sum() == 1:
            windows.append(value[low:high])
    return np.array(windows).reshape(-1, before + 1 + after)


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


def looks(config: Config, name: str, variant: Variant, params: list, key: jax.Array) -> Result:
    """What the values do along a game (Figure 3 of 2013), and how the last layer sees states (Figure 4)."""
    metrics, arrays = {}, {}
    agent = make_agent(config, name, variant)
    watch = make_watcher(agent, config.evaluate_epsilon, MAPPED)
    games = [jax.device_get(watch(p, purpose(key, "own"))) for p in params]
    planes = [embed(game.features) for game in games]
    metrics[f"{name}_neighbours_agree"] = [
        neighbours_agree(plane, game.q.max(axis=1))
        for plane, game in zip(planes, games, strict=True)
    ]
    arrays |= {f"{name}_tsne": planes[0], f"{name}_tsne_value": games[0].q.max(axis=1)}
    arrays[f"{name}_tsne_pictures"] = device.pictures(agent, games[0].frames)
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
        arrays[f"{name}_scripted"] = device.pictures(agent, games[0].frames)
        arrays[f"{name}_scripted_value"] = np.stack(values)
        arrays[f"{name}_scripted_reward"] = games[0].reward
    return Result(metrics, arrays=arrays)


def breakout_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Around each brick that is struck: from four steps before to the strike, and to the step after it."""
    around = [around_rewards(v, s.reward, s.terminal) for v, s in zip(values, games, strict=True)]
    return {
        "breakout_value_rise": [float((a[:, 4] - a[:, 0]).mean()) for a in around],
        "breakout_value_fall": [float((a[:, 4] - a[:, 5]).mean()) for a in around],
    }


def seaquest_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """The fish comes into sight, A; the shot is about to hit it, B; it is gone, C."""
    strike = int(games[0].reward.argmax())
    return {
        "seaquest_value_appears": [float(v[APPEARS + 1] - v[APPEARS]) for v in values],
        "seaquest_value_rise": [float(v[strike] - v[APPEARS + 1]) for v in values],
        "seaquest_value_fall": [float(v[strike] - v[strike + 2]) for v in values],
    }


def freeway_values(values: list[np.ndarray], games: list) -> dict[str, list[float]]:
    """Around each arrival at the other side: from twelve steps before, and to two steps after it."""
    around = [
        around_rewards(v, s.reward, s.terminal, before=12)
        for v, s in zip(values, games, strict=True)
    ]
    return {
        "freeway_value_rise": [float((a[:, 12] - a[:, 0]).mean()) for a in around],
        "freeway_value_fall": [float((a[:, 12] - a[:, 14]).mean()) for a in around],
    }


SCRIPTS = {
    "breakout": (1_500, keep_the_ball),
    "seaquest": (30, meet_a_fish),
    "freeway": (1_500, run_across),
}
"""Games of which the agent sees a scripted stretch: steps, and the script."""
MEASURES = {
    "breakout": breakout_values,
    "seaquest": seaquest_values,
    "freeway": freeway_values,
}
