"""What the two DQN papers state, as data."""

from experiments.dqn.published import ABLATIONS, MINATAR
from lib.envs.names import slug
from lib.run.claims import Baseline, Claim

GAMES = {
    "breakout": "Breakout",
    "space_invaders": "Space Invaders",
    "asterix": "Asterix",
    "freeway": "Freeway",
    "seaquest": "Seaquest",
}
"""MinAtar's."""

# The papers played none of MinAtar's games: these bounds are several times what a random player has (0.4,
# 3.7, 0.7, 0.4 and 0.1 points, in this order).
FAR_ABOVE = {"breakout": 3, "space_invaders": 10, "asterix": 3, "freeway": 10, "seaquest": 1}
"""Points above a random player."""

# 2013, Table 1, and Nature, Extended Data Table 2. Ours should reach the lower of the papers' two scores (in
# Pong 18, within the papers' spread).
ATARI = {
    "pong": ("Pong", -20.4, 20, 18.9, 18),
    "breakout": ("Breakout", 1.2, 168, 401.2, 168),
    "seaquest": ("Seaquest", 110, 1705, 5286, 1705),
    "space_invaders": ("Space Invaders", 179, 581, 1976, 581),
    "beam_rider": ("Beam Rider", 354, 4092, 6846, 4092),
    "qbert": ("Q*bert", 157, 1952, 10596, 1952),
    "enduro": ("Enduro", 0, 470, 301.8, 300),
}
"""Title; scores of a random player, of the agents of 2013 and 2015; ours should reach."""


def _claim(metric, part, where, statement, paper, kind, holds_if="at least", **more) -> Claim:
    more = {"presets": ("laptop",)} | more
    return Claim(metric, where, statement, paper, metric, part, kind, holds_if, **more)


def _learned(game: str, metric: str) -> Baseline:
    """Less than this, and the agent that is looked at, or compared, has not learned its game."""
    otherwise = f"this agent has hardly learned {GAMES[game]}"
    return Baseline(f"{game}_{metric}", "at least", FAR_ABOVE[game], otherwise)


CHAIN = _claim(
    "chain_error",
    "chain",
    "section 2, (1)",
    "Q-learning finds the values where they are known: largest error on a chain of five states, where "
    "they are powers of gamma",
    "converges to Q*",
    "mechanism",
    "at most",
    target=1e-3,
    presets=("smoke", "laptop"),
)


# A curve that only rises has 1, one of 25 points that is nothing but noise about 7: 2 is far from both. The
# score of an agent that has not learned is noise alone.
CURVES = (
    _claim(
        "breakout_score_travel",
        "breakout",
        "2013, Figure 2",
        "The score is a noisy curve: its ways up and down over its range (1: it only rises), Breakout",
        "very noisy",
        "result",
        target=2,
        baseline=_learned("breakout", "above_random"),
    ),
    _claim(
        "breakout_held_out_q_travel",
        "breakout",
        "2013, Figure 2",
        "... that of the value of held-out states is smooth",
        "much more smoothly",
        "result",
        "at most",
        target=2,
        baseline=_learned("breakout", "above_random"),
    ),
)


# Half of what the published agent gains on a random player. Set before a run of five million was looked at.
SHARE = 0.5


def _beside_published(game: str) -> tuple[Claim, ...]:
    """The gain on a random player as a share of the published one: of runs as long as that."""
    title, (published, sure) = GAMES[game], MINATAR[game]
    words = f"{published:g}" if sure else f"about {published:g} (off a curve, unsure)"
    return (
        _claim(
            f"{game}_of_published",
            game,
            "MinAtar (2019), DQN",
            f"{title}, 5 million frames: what training episodes gain on a random player, over what the "
            "published agent's do",
            "1",
            "result" if sure else "reference",  # what one is not sure of decides nothing
            **({"target": SHARE} if sure else {}),
        ),
        _claim(
            f"{game}_training_score",
            game,
            "MinAtar (2019), DQN",
            f"... {title}: mean return of the last training episodes",
            words,
            "reference",
        ),
    )


def _score(game: str) -> tuple[Claim, ...]:
    """How well an agent learns a game of MinAtar."""
    title = GAMES[game]
    shown = {"breakout": "an agent learns a small Breakout", "seaquest": "... and a small Seaquest"}
    return (
        _claim(
            f"{game}_above_random",
            game,
            "2013, Table 1",
            f"{title}, 10 x 10 (MinAtar): score of the agent, above that of a random player",
            "far above",
            "result",
            target=FAR_ABOVE[game],
            failed_because=f"at least {FAR_ABOVE[game]}; perhaps as MinAtar's paper has ten times the steps",
            headline=shown.get(game, ""),
        ),
        *_beside_published(game),
        _claim(f"{game}_dqn_score", game, "–", f"... {title}: score", "–", "reference"),
        _claim(f"{game}_random", game, "–", f"... {title}: of a random player", "–", "reference"),
    )


def _value(
    game: str, what: str, where: str, statement: str, paper: str, target: float, because: str = ""
) -> Claim:
    return _claim(
        f"{game}_value_{what}",
        game,
        f"2013, Figure 3, {where}",
        statement,
        paper,
        "result",
        target=target,
        baseline=_learned(game, "above_random"),
        failed_because=because,
    )


UNKNOWN = "tested: the agent does not know the script's states, see Known failures"
# The paper has no numbers here. A point that is sure to come in k steps is worth gamma^k, and nothing when
# it is had: the bounds are half of that rise (0.11 in twelve steps, 0.04 in four) and half of that fall (1).
VALUES = (
    _value(
        "seaquest", "appears", "A", "The value jumps when an enemy appears, Seaquest", "jumps", 0.05
    ),
    _value(
        *("seaquest", "rise", "A to B", "... rises until the shot is about to hit it"),
        *("rises to a peak", 0.05),
    ),
    _value(
        *("seaquest", "fall", "B to C", "... and falls when it is gone: two steps later"),
        *("falls to its value before", 0.5),
    ),
    _value(
        *("freeway", "rise", "A to B"),
        "The same in a game that is learned: rise in the twelve steps before the other side, Freeway",
        *("rises to a peak", 0.05),
    ),
    _value(
        *("freeway", "fall", "B to C", "... fall in the two steps after"),
        *("falls to its value before", 0.5),
    ),
    _value(
        *("breakout", "own_rise", "A to B"),
        "In the agent's own games: rise in the four steps to the strike of a brick, Breakout",
        *("rises to a peak", 0.02),
    ),
    _value(
        *("breakout", "own_fall", "B to C", "... fall when the brick is gone: the step after"),
        *("falls to its value before", 0.5),
    ),
    _value(
        *("seaquest", "own_rise", "A to B"),
        "In the agent's own games: rise in the four steps to a hit, Seaquest",
        *("rises to a peak", 0.02),
    ),
    _value(
        *("seaquest", "own_fall", "B to C", "... fall when it is hit: the step after"),
        *("falls to its value before", 0.5),
    ),
    _value(
        *("breakout", "rise", "A to B"),
        "In games that a script plays: rise in the four steps to the strike, Breakout",
        *("rises to a peak", 0.02, UNKNOWN),
    ),
    _value(
        *("breakout", "fall", "B to C", "... fall when the brick is gone: the step after"),
        *("falls to its value before", 0.5, UNKNOWN),
    ),
    *(
        _claim(
            f"breakout_value_error_{whose}",
            "breakout",
            "2013, Figure 3",
            f"... mean size of r + gamma V(s') - Q(s, a) in {words} games, Breakout",
            "–",
            "reference",
        )
        for whose, words in (("own", "the agent's own"), ("script", "the script's"))
    ),
)


def _map(game: str) -> tuple[Claim, ...]:
    """The paper has no number. An untrained network's layer lays out the same states by how they look, and
    leaves some of the value's variance that the 10 nearest states do not explain: a quarter less is learned.
    """
    title, where = GAMES[game], "Nature, Figure 4"
    return (
        _claim(
            f"{game}_neighbours_gain",
            game,
            where,
            "The last layer puts states of like value side by side: share that neighbours in its t-SNE map "
            f"explain of the value's variance that an untrained network's map leaves unexplained, {title}",
            "similar values nearby",
            "result",
            target=0.25,
            baseline=_learned(game, "above_random"),
        ),
        _claim(
            f"{game}_neighbours_agree",
            game,
            where,
            f"... {title}: explained in its map",
            "–",
            "reference",
        ),
    )


MAPS = ("space_invaders", "breakout")
"""Nature's Figure 4 is of Space Invaders."""

CELLS = {
    "dqn": "replay and target network",
    "no_target": "replay only",
    "no_replay": "target network only",
    "neither": "neither",
}
_DQN, _NO_TARGET, _NO_REPLAY, _LINEAR = 0, 1, 2, 4
"""Where they stand in a row of ABLATIONS."""


def half(times: float) -> float:
    """Half of the effect of what makes a score so many times as large."""
    return round(1 + (times - 1) / 2, 2)


def _ratios(above: int, below: int) -> dict[str, float]:
    """What the paper's five games have."""
    return {name: row[above] / row[below] for name, row in ABLATIONS.items()}


# MinAtar's games are not the paper's, though some have their names: `laptop` is to show half of the least
# effect among the paper's five games (of the four where replay matters more), `paper` half of the game's own.
REPLAY, TARGET = _ratios(_DQN, _NO_REPLAY), _ratios(_DQN, _NO_TARGET)
LINEAR, ALONE = _ratios(_DQN, _LINEAR), _ratios(_NO_TARGET, _NO_REPLAY)
LEAST = {
    "replay": half(min(REPLAY.values())),
    "target": half(min(TARGET.values())),
    "linear": half(min(LINEAR.values())),
    "alone": half(min(times for times in ALONE.values() if times > 1)),
}


def _tables(game: str) -> tuple[Claim, ...]:
    """Extended Data Tables 3 and 4 on a game of MinAtar, and one frame against four."""
    title, table_3 = GAMES[game], f"table_3_{game}"
    name = next((name for name in ABLATIONS if slug(name) == f"atari_{game}"), None)
    where = "Nature, Extended Data Table 3"
    learned = _learned(game, "table_dqn")
    shown = game == "breakout"

    def atari(ratios: dict[str, float]) -> str:
        low, high = min(ratios.values()), max(ratios.values())
        return (
            f"{ratios[name]:.1f} (Atari)" if name else f"{low:.1f} to {high:.1f} (Atari, 5 games)"
        )

    cells = tuple(
        _claim(
            f"{game}_table_{cell}",
            table_3,
            where,
            f"{title}: best score, {words}",
            f"{ABLATIONS[name][i]} (Atari)" if name else "–",
            "reference",
        )
        for i, (cell, words) in enumerate(CELLS.items())
    )
    return (
        *cells,
        _claim(
            f"{game}_replay_times",
            table_3,
            where,
            f"{title}: times the score that it has without replay",
            atari(REPLAY),
            "result",
            target=LEAST["replay"],
            baseline=learned,
            headline="replay memory raises its score" if shown else "",
        ),
        _claim(
            f"{game}_target_times",
            table_3,
            where,
            f"{title}: times the score that it has without a target network",
            atari(TARGET),
            "result",
            target=LEAST["target"],
            baseline=learned,
            headline="a target network raises its score" if shown else "",
        ),
        _claim(
            f"{game}_replay_alone_times",
            table_3,
            where,
            f"{title}: replay matters more: score with replay only, times that with a target network only",
            f"{atari(ALONE)}; above 1 in 4 of 5",
            "result",
            target=LEAST["alone"],
            baseline=learned,
        ),
        _claim(
            f"{game}_linear_times",
            f"table_4_{game}",
            "Nature, Extended Data Table 4",
            f"{title}: times the best score of a linear network",
            atari(LINEAR),
            "result",
            target=LEAST["linear"],
            headline="convolutions beat a linear network" if shown else "",
        ),
        # No number in the paper: a fifth is more than scores of 100 games differ by when nothing does.
        _claim(
            f"{game}_frames_times",
            f"history_{game}",
            "2013, section 4.1",
            f"{title} without its channels of motion: four frames, times the score that one frame gets",
            "one frame is not enough",
            "result",
            target=1.2,
            baseline=_learned(game, "four_frames_score"),
            headline="four frames beat one where motion is hidden" if shown else "",
        ),
    )


def _atari_score(game: str) -> Claim:
    title, random, old, new, reach = ATARI[game]
    return _claim(
        f"atari_{game}_dqn_score",
        f"atari_{game}",
        "2013, Table 1; Nature, Extended Data Table 2",
        f"{title} (Atari): score; a random player has {random:g}",
        f"{old:g} (2013), {new:g} (2015)",
        "result",
        target=reach,
        presets=("paper",),
        dataset=f"ALE/{title.replace(' ', '').replace('*', '')}-v5",
    )


def _atari_tables(name: str) -> tuple[Claim, ...]:
    """Extended Data Tables 3 and 4 on one of the paper's own games."""
    game, title = slug(name), name[4:-3]
    rows = {
        "replay_times": ("table_3", "without replay", REPLAY),
        "target_times": ("table_3", "without a target network", TARGET),
        "linear_times": ("table_4", "with a linear network", LINEAR),
    }
    return tuple(
        _claim(
            f"{game}_{what}",
            f"{table}_{game}",
            f"Nature, Extended Data {table.replace('_', ' ').title()}",
            f"{title} (Atari): times the score that it has {words}",
            f"{times[name]:.1f}",
            "result",
            target=half(times[name]),
            presets=("paper",),
            dataset=name,
        )
        for what, (table, words, times) in rows.items()
    )


CLAIMS = (
    *(claim for game in GAMES for claim in _score(game)),
    *CURVES,
    *VALUES,
    *(claim for game in MAPS for claim in _map(game)),
    CHAIN,
    *(claim for game in GAMES for claim in _tables(game)),
    *map(_atari_score, ATARI),
    *(claim for name in ABLATIONS for claim in _atari_tables(name)),
)
