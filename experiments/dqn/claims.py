"""What the two DQN papers state, as data."""

from lib.run.claims import Claim

GAMES = {
    "breakout": "Breakout",
    "space_invaders": "Space Invaders",
    "asterix": "Asterix",
    "freeway": "Freeway",
    "seaquest": "Seaquest",
}
"""MinAtar's."""


FAR_ABOVE = {"breakout": 3, "space_invaders": 10, "asterix": 3, "freeway": 10, "seaquest": 1}
"""Points above a random player."""


def _claim(metric, where, statement, paper, holds_if, target, **more) -> Claim:
    more = {"presets": ("laptop",)} | more
    return Claim(metric, where, statement, paper, metric, holds_if, target, **more)


CURVES = (
    _claim(
        "breakout_score_travel",
        "2013, Figure 2",
        "The score is a noisy curve: its ways up and down over its range (1: it only rises), Breakout",
        "very noisy",
        "at least",
        2,
        failed_because="at least 2: the score still rises for most of so short a run",
    ),
    _claim(
        "breakout_held_out_q_travel",
        "2013, Figure 2",
        "... that of the value of held-out states is smooth",
        "much more smoothly",
        "at most",
        2,
    ),
    _claim(
        "chain_error",
        "section 2, (1)",
        "Q-learning finds the values where they are known: largest error on a chain of five states, where "
        "they are powers of gamma",
        "converges to Q*",
        "at most",
        1e-3,
    ),
)

SCORES = tuple(
    claim
    for name, title in GAMES.items()
    for claim in (
        _claim(
            f"{name}_above_random",
            "2013, Table 1",
            f"{title}, 10 x 10 (MinAtar): score of the agent, above that of a random player",
            "far above",
            "at least",
            FAR_ABOVE[name],
            failed_because=f"at least {FAR_ABOVE[name]}: half a million steps are too few",
        ),
        _claim(f"{name}_dqn_score", "–", f"... {title}: score", "–", "at least", 0, presets=()),
        _claim(
            f"{name}_random",
            "–",
            f"... {title}: of a random player",
            "–",
            "at least",
            0,
            presets=(),
        ),
    )
)

VALUES = (
    _claim(
        "seaquest_value_appears",
        "2013, Figure 3, A",
        "The value jumps when an enemy appears, Seaquest",
        "jumps",
        "at least",
        0.05,
        failed_because="at least 0.05: this agent has hardly learned the game",
    ),
    _claim(
        "seaquest_value_rise",
        "2013, Figure 3, A to B",
        "... rises until the shot is about to hit it",
        "rises to a peak",
        "at least",
        0.05,
        failed_because="at least 0.05: this agent has hardly learned the game",
    ),
    _claim(
        "seaquest_value_fall",
        "2013, Figure 3, B to C",
        "... and falls when it is gone: two steps later",
        "falls to its value before",
        "at least",
        0.1,
        failed_because="at least 0.1: this agent has hardly learned the game",
    ),
    _claim(
        "freeway_value_rise",
        "2013, Figure 3, A to B",
        "The same in a game that is learned: rise in the twelve steps before the other side, Freeway",
        "–",
        "at least",
        0.05,
    ),
    _claim(
        "freeway_value_fall",
        "2013, Figure 3, B to C",
        "... fall in the two steps after",
        "–",
        "at least",
        0.1,
    ),
    _claim(
        "breakout_value_rise",
        "2013, Figure 3 A to B",
        "The same with a ball and a brick: rise in the four steps to the strike, Breakout",
        "–",
        "at least",
        0.02,
        failed_because="at least 0.02: smaller than the error of the values",
    ),
    _claim(
        "breakout_value_fall",
        "2013, Figure 3 B to C",
        "... fall when the brick is gone: the step after",
        "–",
        "at least",
        0.2,
    ),
    _claim(
        "breakout_neighbours_agree",
        "Nature, Figure 4",
        "The last layer puts states of like value side by side: variance of the value that the 10 nearest "
        "in the t-SNE map explain",
        "similar values nearby",
        "at least",
        0.8,
    ),
)

# Nature, Extended Data Table 3: both, no target, no replay, neither; Table 4: linear.
TABLES = {
    "breakout": ("316.8", "240.7", "10.2", "3.2", "3.00"),
    "space_invaders": ("1088.9", "826.3", "373.2", "302.0", "301.3"),
    "seaquest": ("2894.4", "822.6", "1003.0", "275.8", "656.9"),
}


def _times(game: str, i: int) -> str:
    numbers = [float(n) for n in TABLES.get(game, ())]
    return f"{numbers[0] / numbers[i]:.1f} (Atari)" if numbers else "–"


STUDIES = tuple(
    claim
    for name, title in GAMES.items()
    for claim in (
        *(
            _claim(
                f"{name}_table_{cell}",
                "Nature, Extended Data Table 3",
                f"{title}: best score, {words}",
                f"{TABLES[name][i]} (Atari)" if name in TABLES else "–",
                "at least",
                0,
                presets=(),
            )
            for i, (cell, words) in enumerate(
                {
                    "dqn": "replay and target network",
                    "no_target": "replay only",
                    "no_replay": "target network only",
                    "neither": "neither",
                }.items()
            )
        ),
        _claim(
            f"{name}_replay_times",
            "Nature, Extended Data Table 3",
            f"{title}: times the score that it has without replay",
            _times(name, 2),
            "at least",
            1.5,
        ),
        _claim(
            f"{name}_target_times",
            "Nature, Extended Data Table 3; the notes say 3",
            f"{title}: times the score that it has without a target network",
            _times(name, 1),
            "at least",
            1,
            failed_because="at least 1: no gain from a target network here",
        ),
        _claim(
            f"{name}_replay_before_target",
            "Nature, Extended Data Table 3",
            f"{title}: replay matters more: score without target network, less that without replay",
            "more in 4 of 5 games",
            "at least",
            0,
        ),
        _claim(
            f"{name}_linear_times",
            "Nature, Extended Data Table 4",
            f"{title}: times the best score of a linear network",
            _times(name, 4),
            "at least",
            1.5,
        ),
        _claim(
            f"{name}_frames_times",
            "2013, section 4.1",
            f"{title} without its channels of motion: four frames, times the score that one frame gets",
            "one frame is not enough",
            "at least",
            1.2,
        ),
    )
)

# 2013 Table 1 and Nature Extended Data Table 2: random, 2013, Nature.
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

ATARI_CLAIMS = tuple(
    _claim(
        f"atari_{name}_dqn_score",
        "2013, Table 1; Nature, Extended Data Table 2",
        f"{title} (Atari): score; a random player has {random:g}",
        f"{old:g} (2013), {new:g} (2015)",
        "at least",
        reach,
        presets=("paper",),
        dataset=f"ALE/{title.replace(' ', '').replace('*', '')}-v5",
    )
    for name, (title, random, old, new, reach) in ATARI.items()
)

CLAIMS = (*CURVES, *SCORES, *VALUES, *STUDIES, *ATARI_CLAIMS)
