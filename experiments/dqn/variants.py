"""The agents that the studies train: each lacks what a table of the papers says, and nothing else. No JAX."""

from collections.abc import Callable
from dataclasses import dataclass

from experiments.dqn.config import Config
from lib.envs.names import MOTION


@dataclass(frozen=True)
class Variant:
    """One agent of a study: what sets it apart from the others."""

    name: str
    learning_rate: float
    network: str
    history: int
    replay: bool = True
    target: bool = True
    hide: tuple[str, ...] = ()
    """Channels that the agent does not get to see."""


CELLS = {
    "dqn": {"replay": True, "target": True},
    "no_target": {"replay": True, "target": False},
    "no_replay": {"replay": False, "target": True},
    "neither": {"replay": False, "target": False},
}
"""Extended Data Table 3 of Nature: what each agent of the study has."""


def full_agent(config: Config) -> Variant:
    """The agent that nothing is taken from."""
    return Variant("dqn", config.learning_rates[0], config.network, config.history)


def cell_name(config: Config, cell: str, learning_rate: float) -> str:
    """How the agent of a cell is called that learns at that rate."""
    return cell if learning_rate == config.learning_rates[0] else f"{cell}_{learning_rate:g}"


def ablated(config: Config, name: str) -> list[Variant]:
    """The agents of Extended Data Table 3, at every learning rate, but for the full agent."""
    del name
    agents = [
        Variant(cell_name(config, cell, rate), rate, config.network, config.history, **has)
        for rate in config.learning_rates
        for cell, has in CELLS.items()
    ]
    return agents[1:]


def of_one_and_four_frames(config: Config, name: str) -> list[Variant]:
    """Two agents that differ in the frames they see; neither sees what tells how things move."""
    rate, hide = config.learning_rates[0], MOTION.get(name, ())
    return [
        Variant("one_frame", rate, config.network, 1, hide=hide),
        Variant("four_frames", rate, config.network, 4, hide=hide),
    ]


def linear(config: Config, name: str) -> list[Variant]:
    """The agent of Extended Data Table 4."""
    del name
    return [Variant("linear", config.learning_rates[0], "linear", config.history)]


AGENTS: dict[str, Callable[[Config, str], list[Variant]]] = {
    "agent": lambda config, name: [full_agent(config)],
    "replay_target": ablated,
    "linear": linear,
    "history": of_one_and_four_frames,
}
"""The agents that each study trains on a game; replay_target and linear are compared with the first's."""
