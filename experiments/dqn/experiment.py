"""DQN: games, agents that learn to play them with and without the paper's parts, and what they then do."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from experiments.dqn import atari, minatar
from experiments.dqn.chain import learn_chain
from experiments.dqn.config import GAMES, PREFIXES, Config, check_network
from experiments.dqn.measures import looks, training_score, travel
from experiments.dqn.published import MINATAR, MINATAR_STEPS, normalised, share_of_published
from experiments.dqn.variants import AGENTS, CELLS, Variant, cell_name, full_agent
from lib.base.errors import UserError
from lib.envs.names import is_atari, slug
from lib.run.keys import purpose
from lib.run.loop import member
from lib.run.paper import load_paper
from lib.run.parts import run_parts
from lib.run.result import Result
from lib.run.watch import Watch

__all__ = ["PARTS", "load_data", "run"]


class Data(NamedTuple):
    """Descriptions of the games, which are played, not read."""

    about: dict[str, list[dict]]


def load_data(
    config: Config, data_dir: Path | None = None, *, only: Collection[str] | None = None
) -> Data:
    """The games of the names `only` (None: those of `config`); refuses what cannot be played or remembered.

    Raises UserError (code 2): the network is not one for a game, no emulator, or too little memory.
    """
    del data_dir
    names = config.env if only is None else [name for name in GAMES.values() if name in only]
    for name in names:
        try:
            check_network(config, name)
        except ValueError as error:
            raise UserError(str(error), 2) from None
        world_of(name).check(config, name)
    played = {"split": "played", "fingerprint": None}
    return Data({name: [{"name": name, **played, "real": is_atari(name)}] for name in names})


def run(config: Config, key: jax.Array, data: Data, watch: Watch | None = None, only=()) -> Result:
    """What `config` asks for, or the parts `only`. `key` is one root key, or `[n]` of them: an agent each."""
    return run_parts(load_paper("experiments.dqn"), config, key, data, watch, only)


def world_of(name: str):
    """The module that plays the game `name`."""
    return atari if is_atari(name) else minatar


def chain(config, keys, data, watch, needs) -> Result:
    """Q-learning where the values are known."""
    del keys, data, watch, needs
    learned, true = learn_chain(config.gamma)
    error = float(np.abs(learned - true).max())
    return Result({"chain_error": error}, arrays={"chain_learned": learned, "chain_true": true})


def train_and_test(config: Config, name: str, variant: Variant, keys, watch: Watch) -> Result:
    """One agent a key: its learning curve, and its scores at the end."""
    world, game, key = world_of(name), slug(name), purpose(jax.random.key(0), name)
    training, of = f"{game}-{variant.name}", f"{game}_{variant.name}"
    trained = world.train_agent(config, name, variant, training, keys, watch)
    curves, steps = learning_curves(trained.history)
    final = [
        world.final_scores(config, name, variant, params, purpose(key, "final"))
        for params in trained.params
    ]
    metrics = {
        f"{of}_score": [float(scores.mean()) for scores in final],
        f"{of}_best": curves["score"].max(axis=0).tolist(),
        f"{of}_q": curves["held_out_q"][-1].tolist(),
    }
    stacked = jax.tree.map(lambda *each: np.stack(each), *trained.params)
    about = {"paper": "dqn", "game": name, "variant": variant.name}
    history, weights = {training: trained.history}, {training: (stacked, about)}
    return Result(metrics, history, {f"{of}_steps": steps}, weights=weights)


def learning_curves(history: list[dict]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """`({"score": [t, seeds], "held_out_q": ...}, agent steps [t])` where an agent was tested."""
    scored = [row for row in history if "score" in row]
    curves = {what: np.array([row[what] for row in scored]) for what in ("score", "held_out_q")}
    return curves, np.array([row["agent_steps"] for row in scored])


def agent(config: Config, name: str, keys, watch: Watch, needs) -> Result:
    """The whole agent on one game: how it learns, and what its values and its last layer do."""
    del needs
    game, variant, key = slug(name), full_agent(config), purpose(jax.random.key(0), name)
    random = world_of(name).random_score(config, name, purpose(key, "random"))
    result = train_and_test(config, name, variant, keys, watch)
    curves, _ = learning_curves(result.history[f"{game}-dqn"])
    scores = result.metrics[f"{game}_dqn_score"]
    metrics = {
        f"{game}_random": random,
        f"{game}_above_random": [score - random for score in scores],
        # The first points are those of an agent that has hardly learned.
        **{f"{game}_{what}_travel": [travel(c) for c in curve.T] for what, curve in curves.items()},
    }
    if is_atari(name):
        metrics[f"{game}_normalised"] = [normalised(name, score) for score in scores]
        return result | Result(metrics)
    metrics |= beside_published(config, game, result.history[f"{game}-dqn"], random)
    stacked, _ = result.weights[f"{game}-dqn"]
    params = [member(stacked, i) for i in range(len(keys))]
    return result | Result(metrics) | looks(config, name, variant, params, purpose(key, "looks"))


def beside_published(config: Config, game: str, history: list[dict], random: float) -> dict:
    """What the agent scored in its last training episodes, where it trained as long as the published one."""
    if game not in MINATAR or config.steps < MINATAR_STEPS:
        return {}
    scores = training_score(history, config.evaluate_every)
    return {
        f"{game}_training_score": scores,
        f"{game}_of_published": [share_of_published(game, score, random) for score in scores],
    }


def study(config: Config, name: str, keys, watch: Watch, of: str) -> Result:
    """The agents that the study `of` trains."""
    result = Result({})
    for variant in AGENTS[of](config, name):
        result |= train_and_test(config, name, variant, keys, watch)
    return result


def table_3(config: Config, name: str, keys, watch: Watch, needs: Mapping[str, Result]) -> Result:
    """With and without replay and target network: as in the paper, each agent's best learning rate."""
    game = slug(name)
    result = study(config, name, keys, watch, "replay_target")
    return result | Result(compare_cells(config, game, result.metrics | needs[game].metrics))


def compare_cells(config: Config, game: str, metrics: Mapping) -> dict[str, list[float]]:
    """The best score of each cell of the table, seed by seed, and how many times another's it is."""
    best = {}
    for cell in CELLS:
        names = [cell_name(config, cell, rate) for rate in config.learning_rates]
        rates = [metrics[f"{game}_{name}_best"] for name in names]
        best[cell] = [max(seed) for seed in zip(*rates, strict=True)]
    return {f"{game}_table_{cell}": scores for cell, scores in best.items()} | {
        f"{game}_replay_times": times(best["dqn"], best["no_replay"]),
        f"{game}_target_times": times(best["dqn"], best["no_target"]),
        f"{game}_replay_alone_times": times(best["no_target"], best["no_replay"]),
    }


def table_4(config: Config, name: str, keys, watch: Watch, needs: Mapping[str, Result]) -> Result:
    """A linear network beside the whole agent, at one learning rate."""
    game = slug(name)
    result = study(config, name, keys, watch, "linear")
    pair = needs[game].metrics[f"{game}_dqn_best"], result.metrics[f"{game}_linear_best"]
    return result | Result({f"{game}_linear_times": times(*pair)})


def history(config: Config, name: str, keys, watch: Watch, needs: Mapping[str, Result]) -> Result:
    """One frame against four."""
    del needs
    game = slug(name)
    result = study(config, name, keys, watch, "history")
    pair = (result.metrics[f"{game}_{frames}_score"] for frames in ("four_frames", "one_frame"))
    return result | Result({f"{game}_frames_times": times(*pair)})


def times(ours: list[float], theirs: list[float]) -> list[float]:
    """How many times as large each score is; without meaning, NaN, where neither is above 0."""
    pairs = zip(ours, theirs, strict=True)
    return [a / b if b > 0 else (np.inf if a > 0 else np.nan) for a, b in pairs]


STUDIES = {"agent": agent, "replay_target": table_3, "linear": table_4, "history": history}


def _of_game(compute: Callable[..., Result], name: str):
    def part(config, keys, data, watch, needs):
        del data
        return compute(config, name, keys, watch, needs)

    return part


PARTS = {
    "chain": chain,
    **{
        PREFIXES[of] + game: _of_game(compute, name)
        for game, name in GAMES.items()
        for of, compute in STUDIES.items()
    },
}
