"""DQN: games, agents that learn to play them with and without the paper's parts, and what they then do."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.dqn import atari, device
from experiments.dqn.agent import make_agent
from experiments.dqn.chain import learn_chain
from experiments.dqn.config import CELLS, Config, Variant, variants
from experiments.dqn.measures import around_rewards, embed, neighbours_agree, travel
from experiments.dqn.scores import normalised
from experiments.dqn.watching import APPEARS, keep_the_ball, make_watcher, meet_a_fish, run_across
from lib.envs.names import is_atari, slug
from lib.run.keys import purpose
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["load_data", "run"]

MAPPED = 1_000
"""States of an agent's own play that t-SNE maps."""
SHOWN = 300
"""Steps of the agent's own play that are kept for the animation."""


def load_data(config: Config, data_dir: Path | None = None) -> list[dict]:
    """Descriptions of the games; refuses what this machine cannot play or remember.

    Raises UserError (code 2): no such Atari game, its packages are missing, or too little memory.
    """
    del data_dir
    for name in config.env:
        (atari if is_atari(name) else device).check(config, name)
    return [
        {"name": name, "split": "played", "fingerprint": None, "real": is_atari(name)}
        for name in config.env
    ]


def run(config: Config, key: jax.Array, data: list[dict], watch: Watch | None = None) -> Result:
    """Everything the papers claim. `key` is one root key, or `[n]` of them: an agent each."""
    watch = watch or Watch()
    keys = jnp.atleast_1d(key)
    learned, true = learn_chain(config.gamma)
    metrics = {"chain_error": [float(np.abs(learned - true).max())]}
    result = Result(metrics, arrays={"chain_learned": learned, "chain_true": true}, data=data)
    for name in config.env:
        result |= run_game(config, name, keys, watch)
    return result


def run_game(config: Config, name: str, keys: jax.Array, watch: Watch) -> Result:
    """Trains every agent of the studies on one game, and tests them."""
    world = atari if is_atari(name) else device
    game = slug(name)
    key = purpose(jax.random.key(0), name)
    random = world.random_score(config, name, purpose(key, "random"))
    metrics, history, arrays, weights = {f"{game}_random": [random]}, {}, {}, {}
    bests: dict[Variant, list[float]] = {}
    for variant in variants(config, name):
        training, of = f"{game}-{variant.name}", f"{game}_{variant.name}"
        trained = world.train_agent(config, name, variant, training, keys, watch)
        history[training] = trained.history
        scored = [row for row in trained.history if "score" in row]
        curves = {k: np.array([row[k] for row in scored]) for k in ("score", "held_out_q")}
        bests[variant] = curves["score"].max(axis=0).tolist()
        final = [
            world.final_scores(config, name, variant, params, purpose(key, "final"))
            for params in trained.params
        ]
        metrics[f"{of}_score"] = [float(scores.mean()) for scores in final]
        metrics[f"{of}_best"] = bests[variant]
        metrics[f"{of}_q"] = curves["held_out_q"][-1].tolist()
        arrays[f"{of}_steps"] = np.array([row["agent_steps"] for row in scored])
        about = {"paper": "dqn", "game": name, "variant": variant.name}
        weights[training] = (jax.device_get(trained.params[0]), about)
        if variant.name == "dqn":
            # The first points are those of an agent that has hardly learned.
            for what in ("score", "held_out_q"):
                metrics[f"{game}_{what}_travel"] = [travel(c) for c in curves[what].T]
            metrics[f"{game}_above_random"] = [float(scores.mean()) - random for scores in final]
            if is_atari(name):
                metrics[f"{game}_normalised"] = [
                    normalised(name, float(scores.mean())) for scores in final
                ]
            else:
                result = looks(config, name, variant, trained.params, purpose(key, "looks"))
                metrics |= result.metrics
                arrays |= result.arrays
    metrics |= compare(config, game, metrics, bests)
    return Result(metrics, history, arrays, weights=weights)


def compare(config: Config, game: str, metrics: dict, bests: dict[Variant, list[float]]) -> dict:
    """What the studies say: agents beside one another."""
    found = {}
    if "replay_target" in config.studies:
        table = {}
        whole = {"network": config.network, "history": config.history, "hide": ()}
        for cell, parts in CELLS.items():
            # As in the paper, the best learning rate of each cell; all seeds share it.
            table[cell] = max(
                (best for v, best in bests.items() if (whole | parts).items() <= vars(v).items()),
                key=np.mean,
            )
            found[f"{game}_table_{cell}"] = table[cell]
        found[f"{game}_replay_times"] = _times(table["dqn"], table["no_replay"])
        found[f"{game}_target_times"] = _times(table["dqn"], table["no_target"])
        found[f"{game}_replay_before_target"] = [
            a - b for a, b in zip(table["no_target"], table["no_replay"], strict=True)
        ]
    if "history" in config.studies:
        pair = (metrics[f"{game}_four_frames_score"], metrics[f"{game}_one_frame_score"])
        found[f"{game}_frames_times"] = _times(*pair)
    if "linear" in config.studies:
        found[f"{game}_linear_times"] = _times(
            metrics[f"{game}_dqn_best"], metrics[f"{game}_linear_best"]
        )
    return found


def _times(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b if b > 0 else np.inf for a, b in zip(ours, theirs, strict=True)]


def looks(config: Config, name: str, variant: Variant, params: list, key: jax.Array) -> Result:
    """What the values do along a game (Figure 3 of 2013), and how the last layer sees states (Figure 4)."""
    metrics, arrays = {}, {}
    agent = make_agent(config, name, variant)
    watch = make_watcher(agent, config.evaluate_epsilon, MAPPED)
    seen = [jax.device_get(watch(p, purpose(key, "own"))) for p in params]
    planes = [embed(s.features) for s in seen]
    metrics[f"{name}_neighbours_agree"] = [
        neighbours_agree(plane, s.q.max(axis=1)) for plane, s in zip(planes, seen, strict=True)
    ]
    arrays |= {f"{name}_tsne": planes[0], f"{name}_tsne_value": seen[0].q.max(axis=1)}
    arrays[f"{name}_tsne_pictures"] = device.pictures(agent, seen[0].frames)
    arrays[f"{name}_played"] = arrays[f"{name}_tsne_pictures"][:SHOWN]
    arrays[f"{name}_played_q"] = seen[0].q[:SHOWN]
    arrays[f"{name}_played_reward"] = seen[0].reward[:SHOWN]
    if name in SCRIPTS:
        steps, script = SCRIPTS[name]
        # The script's actions are to be what happens.
        steady = make_agent(replace(config, sticky=0.0), name, variant)
        scripted = make_watcher(steady, 0.0, steps, script)
        seen = [jax.device_get(scripted(p, purpose(key, "script"))) for p in params]
        values = [s.q.max(axis=1) for s in seen]
        metrics |= MEASURES[name](values, seen)
        arrays[f"{name}_scripted"] = device.pictures(agent, seen[0].frames)
        arrays[f"{name}_scripted_value"] = np.stack(values)
        arrays[f"{name}_scripted_reward"] = seen[0].reward
    return Result(metrics, arrays=arrays)


def breakout_values(values: list[np.ndarray], seen: list) -> dict[str, list[float]]:
    """Around each brick that is struck: from four steps before to the strike, and to the step after it."""
    around = [around_rewards(v, s.reward, s.terminal) for v, s in zip(values, seen, strict=True)]
    return {
        "breakout_value_rise": [float((a[:, 4] - a[:, 0]).mean()) for a in around],
        "breakout_value_fall": [float((a[:, 4] - a[:, 5]).mean()) for a in around],
    }


def seaquest_values(values: list[np.ndarray], seen: list) -> dict[str, list[float]]:
    """The fish comes into sight, A; the shot is about to hit it, B; it is gone, C."""
    strike = int(seen[0].reward.argmax())
    return {
        "seaquest_value_appears": [float(v[APPEARS + 1] - v[APPEARS]) for v in values],
        "seaquest_value_rise": [float(v[strike] - v[APPEARS + 1]) for v in values],
        "seaquest_value_fall": [float(v[strike] - v[strike + 2]) for v in values],
    }


def freeway_values(values: list[np.ndarray], seen: list) -> dict[str, list[float]]:
    """Around each arrival at the other side: from twelve steps before, and to two steps after it."""
    around = [
        around_rewards(v, s.reward, s.terminal, before=12)
        for v, s in zip(values, seen, strict=True)
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
