"""python -m tests.benchmarks.scaling_dqn: how fast DQN's games and agents run, side by side.

MinAtar's Breakout: game steps a second against the games played at once (a random player; the agent,
with an update in four steps), and agent steps a second of several seeds, in one program or one after another.
Keeps the numbers and their figure.
"""

import platform
from dataclasses import replace
from importlib.metadata import version

import jax
import jax.numpy as jnp

from experiments.dqn.agent import make_agent
from experiments.dqn.config import PRESETS, Config
from experiments.dqn.variants import Variant
from lib.base.files import write_json
from lib.envs.games import make_game, reset_where
from lib.plots.style import DISCRIMINATOR, GUIDE, MODEL, save, subplots
from lib.run.devices import choose
from lib.run.keys import many_keys, root_keys
from lib.run.loop import member
from lib.run.paper import load_paper
from tests.benchmarks.scaling import seconds

GAMES, SEEDS = (1, 4, 16, 64, 256), (1, 2, 4, 8)
STEPS = 200
"""Iterations in one compiled call."""
VARIANT = Variant("dqn", 2.5e-4, "minatar", 1)


def setting(games: int) -> Config:
    """One update in four steps, whatever the number of games."""
    return replace(
        PRESETS["laptop"],
        games=games,
        steps=256_000,
        chunk=256_000,
        evaluate_every=256_000,
        target_every=1_024,
        replay_start=10_240,
    )


def random_rate(games: int) -> float:
    """Game steps a second of a random player."""
    game = make_game("breakout", sticky=0.1)

    def step(states, key):
        act_key, step_keys, reset_keys = many_keys(key, (), (games,), (games,))
        action = jax.random.randint(act_key, (games,), 0, game.actions)
        states, _, over = jax.vmap(game.step)(states, action, step_keys)
        return reset_where(game, over, states, reset_keys), None

    @jax.jit
    def play(states, key):
        return jax.lax.scan(step, states, jax.random.split(key, STEPS))[0]

    states = jax.jit(jax.vmap(game.reset))(jax.random.split(jax.random.key(0), games))
    return STEPS * games / seconds(lambda: play(states, jax.random.key(1)))


def program(games: int):
    """`init(key) -> state`, `train(state, key) -> state`, and the agent steps of one call."""
    agent = make_agent(setting(games), "breakout", VARIANT)

    def train(state, key):
        def step(state, t):
            return agent.step(state, (), key, t)[0], None

        return jax.lax.scan(step, state, jnp.arange(STEPS))[0]

    return agent.init, train, STEPS * agent.agent_steps


def agent_rate(games: int) -> float:
    """Agent steps a second of one training."""
    init, train, steps = program(games)
    state, train = jax.jit(init)(jax.random.key(0)), jax.jit(train)
    return steps / seconds(lambda: train(state, jax.random.key(1)))


def seed_rates() -> dict[str, list]:
    """Agent steps a second of all seeds together, four games each."""
    init, train, steps = program(4)
    alone, together = jax.jit(train), jax.jit(jax.vmap(train))
    curves: dict[str, list] = {"in one program": [], "one after another": []}
    for n in SEEDS:
        keys = root_keys(tuple(range(n)))
        states = jax.jit(jax.vmap(init))(keys)
        members = [(member(states, i), key) for i, key in enumerate(keys)]
        for name, call in (
            ("in one program", lambda: together(states, keys)),
            ("one after another", lambda: [alone(*m) for m in members]),
        ):
            curves[name].append((n, steps * n / seconds(call)))
    return curves


def main() -> None:
    device = choose("auto")
    curves = {
        "games": {
            "random player": [(n, random_rate(n)) for n in GAMES],
            "agent, one update in 4 steps": [(n, agent_rate(n)) for n in GAMES],
        },
        "seeds": seed_rates(),
    }
    curves = {
        what: {name: [(n, round(r)) for n, r in curve] for name, curve in found.items()}
        for what, found in curves.items()
    }
    figure, axes = subplots(1, 2, width=8, height=3.2)
    for axis, (what, label) in zip(
        axes, {"games": "games side by side", "seeds": "seeds"}.items(), strict=True
    ):
        for color, (name, curve) in zip((MODEL, DISCRIMINATOR), curves[what].items(), strict=True):
            sizes, rates = zip(*curve, strict=True)
            axis.loglog(sizes, rates, marker="o", ms=4, color=color, label=name)
        axis.set(xlabel=label, xticks=sizes, xticklabels=[str(n) for n in sizes])
        axis.minorticks_off()
        axis.grid(color=GUIDE, alpha=0.3, lw=0.5)
        axis.legend(fontsize=8)
    axes[0].set_ylabel("steps / s, all together")
    results = load_paper("experiments.dqn").results
    results.mkdir(exist_ok=True)
    save(figure, results / "scaling.png")
    made = {
        "what": "steps a second: MinAtar's Breakout, conv 16 + fc 128",
        "curves": curves,
        "device": device,
        "versions": f"Python {platform.python_version()}, jax {version('jax')}",
        "command": "python -m tests.benchmarks.scaling_dqn",
    }
    write_json(results / "scaling.json", made)


if __name__ == "__main__":
    main()
