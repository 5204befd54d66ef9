"""The games there are, by name. Light: imports neither JAX nor an emulator."""

import difflib
import re

from lib.base.errors import UserError

CHANNELS = {
    "breakout": ("paddle", "ball", "trail", "brick"),
    "space_invaders": ("cannon", "alien", "left", "right", "friendly_bullet", "enemy_bullet"),
    "freeway": ("chicken", "car", "speed1", "speed2", "speed3", "speed4", "speed5"),
    "asterix": ("player", "enemy", "trail", "gold"),
    "seaquest": (
        *("submarine_front", "submarine_back", "friendly_bullet", "trail", "enemy_bullet"),
        *("enemy_fish", "enemy_submarine", "oxygen_gauge", "diver_gauge", "diver"),
    ),
    "catch": ("ball", "paddle"),
}
"""Games that run on the device, and what each channel of their picture shows."""

MINATAR = tuple(name for name in CHANNELS if name != "catch")

ATARI = tuple(
    f"ALE/{game}-v5"
    for game in """
    Adventure AirRaid Alien Amidar Assault Asterix Asteroids Atlantis Atlantis2 Backgammon
    BankHeist BasicMath BattleZone BeamRider Berzerk Blackjack Bowling Boxing Breakout Carnival
    Casino Centipede ChopperCommand CrazyClimber Crossbow Darkchambers Defender DemonAttack
    DonkeyKong DoubleDunk Earthworld ElevatorAction Enduro Entombed Et FishingDerby FlagCapture
    Freeway Frogger Frostbite Galaxian Gopher Gravitar Hangman HauntedHouse Hero HumanCannonball
    IceHockey Jamesbond JourneyEscape Kaboom Kangaroo KeystoneKapers KingKong Klax Koolaid Krull
    KungFuMaster LaserGates LostLuggage MarioBros MiniatureGolf MontezumaRevenge MrDo MsPacman
    NameThisGame Othello Pacman Phoenix Pitfall Pitfall2 Pong Pooyan PrivateEye Qbert Riverraid
    RoadRunner Robotank Seaquest SirLancelot Skiing Solaris SpaceInvaders SpaceWar StarGunner
    Superman Surround Tennis Tetris TicTacToe3D TimePilot Trondead Turmoil Tutankham UpNDown
    Venture VideoCheckers VideoChess VideoCube VideoPinball WizardOfWor WordZapper YarsRevenge
    Zaxxon
    """.split()
)
"""Games of the emulator, those of ale-py 0.12."""


def is_atari(name: str) -> bool:
    """Whether `name` asks for an emulated game ("ALE/Pong-v5")."""
    return name.startswith("ALE/")


def check_name(name: str) -> None:
    """Raises UserError (code 2), with the nearest names, for a game that is none of ours.

    Whether this machine has the emulator is not asked: `lib.envs.atari.check` does.
    """
    if name in CHANNELS or name in ATARI:
        return
    known: dict[str, list[str]] = {}
    for game in ATARI if is_atari(name) else (*CHANNELS, *ATARI):
        known.setdefault(_bare(game), []).append(game)
    same = known.get(_bare(name))
    near = difflib.get_close_matches(_bare(name), known, n=3, cutoff=0.6)
    names = (
        same or [game for bare in near for game in known[bare]] or [*CHANNELS, "ALE/Pong-v5, ..."]
    )
    kind = "Atari game" if is_atari(name) else "game"
    raise UserError(f"no {kind} {name!r}; the nearest names are {', '.join(names)}", 2)


def _bare(name: str) -> str:
    """What of a game's name is its own: "PongNoFrameskip-v4" -> "pong"."""
    name = re.sub(r"^ALE/|(-ram)?(NoFrameskip|Deterministic)?(-v\d+)?$", "", name)
    return re.sub(r"[^a-z0-9]", "", name.lower())


def slug(name: str) -> str:
    """A name for metrics and files: "ALE/BeamRider-v5" -> "atari_beam_rider"."""
    if not is_atari(name):
        return name
    camel = name.removeprefix("ALE/").rsplit("-", 1)[0]
    return "atari" + "".join(f"_{c.lower()}" if c.isupper() else c for c in camel)


MOTION = {
    "breakout": ("trail",),
    "space_invaders": ("left", "right"),
    "freeway": ("speed1", "speed2", "speed3", "speed4", "speed5"),
    "asterix": ("trail",),
    "seaquest": ("trail",),
    "catch": (),
}
"""Channels that tell how things move, which one frame of a real screen would not."""
