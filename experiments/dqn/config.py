"""What the two DQN papers set. Light: imports no JAX."""

from dataclasses import dataclass
from typing import Literal

from experiments.dqn.claims import CLAIMS
from lib.base.errors import UserError
from lib.envs.names import ATARI, CHANNELS, check_name, is_atari, slug
from lib.run.config import at_least
from lib.run.paper import Part

__all__ = ["CLAIMS", "COMMANDS", "PARTS", "PRESETS", "SELECTS", "TITLE", "Config"]

TITLE = "Human-level Control through Deep Reinforcement Learning (Mnih et al., 2015)"

COMMANDS = {
    "play": "play RUN --out GAME.gif\n      an episode of a trained agent, its value trace under the picture"
}


@dataclass(frozen=True)
class Config:
    """Games, networks and how they learn. "Steps" are the agent's: one action, four frames of an emulator."""

    env: tuple[str, ...] = tuple(
        f"ALE/{game}-v5"
        for game in (
            *("Pong", "Breakout", "Seaquest", "SpaceInvaders", "BeamRider", "Qbert", "Enduro"),
        )
    )
    """Games to play if --only names no parts: ALE/Pong-v5 and all others of the emulator; or on the device
    breakout, space_invaders, freeway, asterix, seaquest (MinAtar's) and catch."""
    studies: tuple[Literal["agent", "replay_target", "history", "linear"], ...] = ("agent",)
    """What to train on each: the agent itself; it without replay, without a target network and without either
    (Nature, Extended Data Table 3); one frame against four; a linear network (Table 4)."""
    network: Literal["2013", "2015", "minatar"] = "2015"
    """The network of 2013, of 2015, or MinAtar's (for pictures of 10 x 10)."""
    steps: int = 50_000_000
    """Agent steps to learn for (paper: 50 million; 2013: 10 million)."""
    games: int = 1
    """Played side by side (paper: 1)."""
    update_every: int = 4
    """Agent steps, over all games, an update (paper: 4; 2013: 1)."""
    batch: int = 32
    """Transitions an update (paper: 32)."""
    history: int = 4
    """Frames the agent sees (paper: 4)."""
    replay: int = 1_000_000
    """Frames the memory holds (paper: 1 million)."""
    replay_start: int = 50_000
    """Random steps before learning begins (paper: 50 000)."""
    target_every: int = 10_000
    """Agent steps between two copies of the network to the target (paper: 10 000; 2013 has no target network:
    as many as --update-every)."""
    gamma: float = 0.99
    """Discount (paper: 0.99)."""
    learning_rates: tuple[float, ...] = (0.00025,)
    """Of RMSProp (paper: 0.00025); of several, the study of replay and target reports each agent's best
    (paper: of 3), everything else takes the first."""
    error: Literal["clipped", "squared"] = "clipped"
    """Errors are clipped to [-1, 1] (paper), or not (2013)."""
    reduce: Literal["sum", "mean"] = "sum"
    """Of a minibatch's gradients (released code: sum)."""
    epsilon: float = 0.1
    """Share of random actions in the end (paper: 0.1)."""
    epsilon_steps: int = 1_000_000
    """Agent steps over which it falls from 1 (paper: 1 million)."""
    sticky: float = 0.0
    """Probability that the game repeats the action before (paper: 0; MinAtar: 0.1)."""
    preprocessing: Literal["2013", "2015"] = "2015"
    """Of Atari's screen: the larger of two frames (2015), or a crop of one (2013)."""
    frame_skip: int = 4
    """Atari's frames an action is held for (paper: 4; 2013: 3 in Space Invaders)."""
    evaluate_every: int = 250_000
    """Agent steps between two points of a curve (paper: 250 000)."""
    episodes: int = 30
    """In an evaluation (paper: 30)."""
    evaluate_epsilon: float = 0.05
    """Share of random actions then (paper: 0.05)."""
    most_steps: int = 4_500
    """At which an evaluation cuts an episode (paper: 5 minutes)."""
    held_out: int = 500
    """States behind the Q curve, collected by a random policy (released code: 500)."""
    chunk: int = 10_000
    """Agent steps in one compiled call."""
    precision: Literal["float32", "tf32"] = "float32"
    """Of everything."""

    def __post_init__(self):
        positive = (
            "steps",
            "games",
            "update_every",
            "batch",
            "history",
            "target_every",
            "episodes",
        )
        positive += (
            "epsilon_steps",
            "frame_skip",
            "evaluate_every",
            "most_steps",
            "held_out",
            "chunk",
        )
        at_least(self, **{name: 1 for name in positive})
        for field in ("env", "studies", "learning_rates"):
            values = getattr(self, field)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"--{field.replace('_', '-')} needs one or more different values")
        for name in self.env:
            try:
                check_name(name)
            except UserError as error:
                raise ValueError(str(error)) from None
        if min(self.learning_rates) <= 0:
            raise ValueError("--learning-rates must be above 0")
        for field in ("gamma", "epsilon", "sticky", "evaluate_epsilon"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(
                    f"--{field.replace('_', '-')} must be in [0, 1], not {getattr(self, field)}"
                )
        at_once = max(self.games, self.update_every)
        if at_once % self.games or at_once % self.update_every:
            raise ValueError(
                f"--games {self.games} and --update-every {self.update_every}: one must divide the other"
            )
        for field in ("chunk", "evaluate_every", "steps", "target_every"):
            if getattr(self, field) % at_once:
                raise ValueError(f"--{field.replace('_', '-')} must be a multiple of {at_once}")
        if self.evaluate_every % self.chunk:
            raise ValueError(f"--evaluate-every must be a multiple of --chunk, {self.chunk}")
        least = self.games * (self.batch + self.history)
        at_least(self, replay_start=least, replay=self.games * (self.history + 2))
        for name in self.env:
            check_network(self, name)


def check_network(config: Config, name: str) -> None:
    """Raises ValueError if the network is not one for the pictures of the game `name`."""
    if is_atari(name) and config.network == "minatar":
        raise ValueError(f"--network minatar is for pictures of 10 x 10, not for {name}")
    if not is_atari(name) and config.network != "minatar":
        raise ValueError(
            f"--network {config.network} is for Atari; games on the device need minatar, so does {name}"
        )


_MINATAR = {
    "network": "minatar",
    "history": 1,
    "sticky": 0.1,
    "replay": 100_000,
    "replay_start": 5_000,
    "target_every": 1_000,
    "epsilon_steps": 100_000,
    "most_steps": 2_500,
}
PRESETS = {
    "smoke": Config(
        **_MINATAR
        | {"replay": 2_000, "replay_start": 400, "epsilon_steps": 500, "most_steps": 100},
        env=("breakout",),
        studies=("agent",),
        steps=1_200,
        games=4,
        evaluate_every=400,
        episodes=4,
        held_out=50,
        chunk=400,
    ),
    "notebook": Config(
        **_MINATAR | {"replay": 50_000, "epsilon_steps": 30_000, "most_steps": 1_000},
        env=("breakout",),
        studies=("agent",),
        steps=80_000,
        games=4,
        evaluate_every=10_000,
        episodes=10,
        held_out=200,
    ),
    "laptop": Config(
        **_MINATAR,
        env=("breakout",),
        studies=("agent",),
        steps=500_000,
        games=4,
        evaluate_every=20_000,
        held_out=500,
    ),
    "paper": Config(),
}

SELECTS = ("env", "studies")

PREFIXES = {"agent": "", "replay_target": "table_3_", "linear": "table_4_", "history": "history_"}
"""Of a study's parts; a game's name follows."""
GAMES = {slug(name): name for name in (*CHANNELS, *ATARI)}

_MEASURED = {
    "agent": (
        *("random", "dqn_score", "dqn_best", "dqn_q", "above_random", "normalised"),
        *("score_travel", "held_out_q_travel", "neighbours_*", "value_*"),
        *("training_score", "of_published"),
    ),
    "replay_target": (
        *("dqn_[0-9]*", "no_target_*", "no_replay_*", "neither_*", "table_*"),
        *("replay_times", "target_times", "replay_alone_times"),
    ),
    "linear": ("linear_*",),
    "history": ("one_frame_*", "four_frames_*", "frames_times"),
}
"""Of each game."""
_COVERS = {
    "agent": "2013: Table 1, Figures 2 and 3; Nature: Figure 4; the agent on a game of {}",
    "replay_target": "Nature, Extended Data Table 3: replay and target network on a game of {}",
    "linear": "Nature, Extended Data Table 4: a linear network on a game of {}",
    "history": "2013, section 4.1: one frame against four on a game of {}",
}
_TAKES = {"agent": (1.6, 3), "replay_target": (5, 9), "linear": (1.6, 3), "history": (4, 6)}
"""A seed on two cores: minutes of `laptop`, from the time of its Breakout; days of `paper`, from the time of
a step of Pong (`results/speed.json`)."""


def _part(study: str, name: str) -> Part:
    """A study of one game."""
    game, minutes_days = slug(name), _TAKES[study]
    if is_atari(name):
        takes = {"paper": f"{minutes_days[1]} days a seed on two cores"}
    else:
        takes = {"laptop": f"{minutes_days[0]} min a seed on two cores"}
    return Part(
        _COVERS[study].format("Atari" if is_atari(name) else "10 x 10"),
        tuple(f"{game}_{measured}" for measured in _MEASURED[study]),
        needs=(game,) if study in ("replay_target", "linear") else (),
        data=(name,),
        default=lambda config: name in config.env and study in config.studies,
        takes=takes,
    )


PARTS = {
    "chain": Part("Section 2, (1): Q-learning where the values are known", ("chain_error",)),
    **{
        PREFIXES[study] + game: _part(study, name)
        for game, name in GAMES.items()
        for study in PREFIXES
    },
}
