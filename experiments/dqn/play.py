"""python -m experiments.dqn play RUN: an episode of a trained agent as a GIF, its value trace below."""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from experiments.dqn.config import Config
from experiments.dqn.variants import AGENTS, Variant
from lib.base.errors import UserError
from lib.base.files import disk_errors, read_json, reading, write_atomically
from lib.base.words import read_options


@dataclasses.dataclass(frozen=True)
class Request:
    """Which agent, and how long."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The folder of a finished run."""
    agent: str = ""
    """Which of its agents, e.g. breakout-dqn (default: the first)."""
    steps: int = 500
    """At most."""
    seed: int = 0
    """Of the game."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="GIF", help_behavior_hint="")] = None
    """The file to write (default: RUN/AGENT.gif)."""

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"--steps must be at least 1, not {self.steps}")


def main(words: list[str]) -> None:
    """Plays and writes the GIF. Raises UserError for what cannot be."""
    about = "Plays one episode with a trained agent; the value of what it sees runs along below."
    request = read_options(Request, words, prog="python -m experiments.dqn play", description=about)
    if request.out is not None and request.out.suffix.lower() != ".gif":
        raise UserError(f"--out must end in .gif, not {request.out.name!r}", 2)
    params, name, variant, config = load(request.run, request.agent)
    from lib.envs.names import is_atari, slug

    film = _film_atari if is_atari(name) else _film_device
    screens, value, reward = film(config, name, variant, params, request.steps, request.seed)
    from lib.plots.film import episode

    out = request.out or request.run / f"{slug(name)}-{variant.name}.gif"
    with disk_errors(f"cannot write {out}"):
        write_atomically(out, _gif(episode(screens, value, reward)))
    print(f"{out}: {len(screens)} steps of {name}, score {reward.sum():g}")


def read_fields(run: Path) -> dict:
    """What the run in folder `run` set. Raises UserError if there is none, or another paper's."""
    kept = read_json(run / "config.json")
    with reading(run / "config.json"):
        if kept["paper"] != "dqn":
            raise UserError(f"{run} is a run of {kept['paper']}, not of dqn", 2)
        return {k: tuple(v) if isinstance(v, list) else v for k, v in kept["config"].items()}


def load(run: Path, agent: str) -> tuple[dict, str, Variant, Config]:
    """`(params, game, variant, config)` of one of the run's agents.

    Raises:
      UserError: the run has no finished or no such agent, or the file is damaged or another paper's.
    """
    from lib.base.weights import load_weights

    fields = read_fields(run)
    there = sorted(run.glob("weights-*.safetensors"))
    if not there:
        raise UserError(f"{run} holds no trained agent: none is finished (--resume goes on)", 2)
    names = [path.stem.removeprefix("weights-") for path in there]
    first = next((n for n in names if n.endswith("-dqn")), names[0])
    chosen = agent or first
    if chosen not in names:
        raise UserError(f"{run} has no agent {chosen!r}; it has {', '.join(names)}", 2)
    path = run / f"weights-{chosen}.safetensors"
    params, about = load_weights(path)
    if about.get("paper") != "dqn":
        raise UserError(f"{path} holds weights of {about.get('paper')}, not of dqn", 2)
    with reading(run / "config.json"):
        # The games are no part of a run's identity; one network may not do for those of the preset.
        config = Config(**fields | {"env": (about["game"],)})
    agents = [variant for of in AGENTS.values() for variant in of(config, about["game"])]
    variant = next((v for v in agents if v.name == about["variant"]), None)
    if variant is None:
        raise UserError(f"{path} holds an agent that {run} does not train", 2)
    return params, about["game"], variant, config


Film = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Screens uint8 `[t, h, w, 3]`, max Q `[t]`, rewards `[t]`."""


def _film_device(config, name, variant, params, steps: int, seed: int) -> Film:
    import jax

    from experiments.dqn.agent import make_agent
    from experiments.dqn.episodes import make_watcher
    from experiments.dqn.minatar import pictures
    from lib.plots.film import colored

    agent = make_agent(config, name, variant)
    watch = make_watcher(agent, config.evaluate_epsilon, steps)
    trajectory = jax.device_get(watch(params, jax.random.key(seed)))
    end = int(trajectory.terminal.argmax()) + 1 if trajectory.terminal.any() else steps
    return (
        colored(pictures(agent, trajectory.frames))[:end],
        trajectory.q.max(axis=1)[:end],
        trajectory.reward[:end],
    )


def _film_atari(config, name, variant, params, steps: int, seed: int) -> Film:
    from experiments.dqn.atari import Player, network
    from lib.envs import atari

    atari.check(name)
    player = Player(config, name, 1, variant.history, seed, life_loss=False)
    net = network(config, variant, player.actions)
    rng = np.random.default_rng(seed)
    screens, value, rewards = [], [], []
    for _ in range(steps):
        q = np.asarray(net.value(params, player.frames))
        screens.append(player.games.games[0].screen())
        value.append(q.max())
        action = player.act(rng, config.evaluate_epsilon, lambda _, q=q: q)
        reward, _, over = player.step(action)
        rewards.append(reward[0])
        if over[0]:
            break
    return np.stack(screens), np.array(value), np.array(rewards)


def _gif(images: list) -> bytes:
    import io

    file = io.BytesIO()
    first, *rest = images
    first.save(file, "GIF", save_all=True, append_images=rest, duration=66, loop=0)
    return file.getvalue()
