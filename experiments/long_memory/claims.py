"""What the papers on long memory state. Light: imports no JAX.

With two cues to choose from, guessing recalls one half; two arms made equal gain nothing. The tagger that
reads in order cannot know what comes, the one that reads backwards not what came before.
"""

import math

from lib.run.claims import Baseline, Claim

_SHORT = Baseline(
    "recall_tanh_shortest", "at least", 0.95, "the tanh network has not learned the shortest delay"
)


_TANH_TOO = (
    "tanh units recall as well; perhaps as Adam's steps do not become smaller with the gradient"
)
_ARMS = {
    "tanh": "tanh",
    "orthogonal": "tanh, orthogonal",
    "lstm": "LSTM",
    "gru": "GRU",
    "carousel": "LSTM of 1997",
}


def _reference(metric: str, part: str, where: str, statement: str, paper: str = "–") -> Claim:
    return Claim(
        id=metric.replace("_", "-"),
        where=where,
        statement=statement,
        paper=paper,
        metric=metric,
        part=part,
        kind="reference",
        target=math.nan,
    )


CLAIMS = (
    Claim(
        id="recalls",
        where="LSTM, section 5.2, task 2b",
        statement="LSTM recalls across the longest delay: share of cues",
        paper="1 (100 steps, all trials)",
        metric="recall_lstm_longest",
        part="recall",
        kind="result",
        target=0.95,  # guessing: 0.5
        headline="an LSTM recalls across the longest delay",
    ),
    Claim(
        id="tanh-forgets",
        where="LSTM, section 5.2, task 2b",
        statement="... where a tanh network does not: cues that LSTM recalls beyond it",
        paper="0.5 (all trials against none)",
        metric="recall_lstm_gain",
        part="recall",
        kind="result",
        target=0.25,
        baseline=_SHORT,
        failed_because=_TANH_TOO,
        headline="... where a tanh network, which learns short ones, does not",
    ),
    Claim(
        id="gru",
        where="Cho et al. 2014, section 2.3",
        statement="A GRU's gates remember too: cues that it recalls beyond the tanh network",
        paper="no meaningful result with tanh units",
        metric="recall_gru_gain",
        part="recall",
        kind="result",
        target=0.25,
        baseline=_SHORT,
        failed_because=_TANH_TOO,
        headline="a GRU's gates remember too",
    ),
    Claim(
        id="carousel",
        where="LSTM, section 5.2, task 2b",
        statement="So does the cell of 1997, which has no forget gate: cues beyond the tanh network",
        paper="0.5 (all trials against none)",
        metric="recall_carousel_gain",
        part="recall",
        kind="result",
        target=0.25,
        baseline=_SHORT,
        failed_because=_TANH_TOO,
    ),
    Claim(
        id="vanishing",
        where="LSTM, section 3.1",
        statement="Errors vanish through tanh units as they begin: decades lost on the longest way back",
        paper="as a power of the steps",
        metric="flow_tanh",
        part="gradients",
        kind="mechanism",
        target=3.0,
    ),
    Claim(
        id="exploding",
        where="LSTM, section 3.1",
        statement="... and explode where weights are large (1.5 times orthogonal): decades gained",
        paper="as a power of the steps",
        metric="flow_exploding",
        part="gradients",
        kind="mechanism",
        target=1.0,
    ),
    Claim(
        id="constant",
        where="LSTM, section 3.2",
        statement="Through the cell of 1997 they pass: decades by which they change on the same way, paths "
        "through gates cut",
        paper="constant",
        metric="flow_cut_carousel",
        part="gradients",
        kind="mechanism",
        holds_if="at most",
        target=0.01,
    ),
    Claim(
        id="future",
        where="BLSTM, Table 1",
        statement="A tagger that reads both ways is right more often than one that reads in order: share of "
        "words",
        paper="about 0.04 (about 70 % against 66 %)",
        metric="tagging_over_forward",
        part="tagging",
        kind="result",
        target=0.02,
        baseline=Baseline(
            "tagging_forward_over_guessing",
            "at least",
            0.05,
            "the tagger that reads in order is no better than the tag that is usual for a word",
        ),
        headline="a tagger that sees the future is right more often",
    ),
    Claim(
        id="past",
        where="BLSTM, Table 1",
        statement="... and than one that reads backwards",
        paper="both ways are best",
        metric="tagging_over_backward",
        part="tagging",
        kind="result",
        target=0.02,
        baseline=Baseline(
            "tagging_backward_over_guessing",
            "at least",
            0.05,
            "the tagger that reads backwards is no better than the tag that is usual for a word",
        ),
        headline="... and also than one that sees the future alone",
    ),
    *(
        _reference(
            f"recall_{arm}_{which}",
            "recall",
            "LSTM, section 5.2, task 2b",
            f"Share of cues: {name}, {which} delay",
        )
        for which in ("shortest", "longest")
        for arm, name in _ARMS.items()
        if (arm, which) != ("lstm", "longest")
    ),
    *(
        _reference(
            f"flow_{when}{arm}",
            "gradients",
            "LSTM, section 3",
            f"Decades lost on the longest way back, {words} training: {name}",
        )
        for when, words in (("", "before"), ("trained_", "after"))
        for arm, name in _ARMS.items()
        if f"{when}{arm}" != "tanh"
    ),
    _reference(
        "flow_cut_lstm",
        "gradients",
        "Gers et al. 2000",
        "... of an LSTM with its forget gate, paths through gates cut",
    ),
    _reference(
        "recall_orthogonal_gain",
        "recall",
        "–",
        "Cues that tanh units recall beyond those of 1997 if their matrix begins orthogonal",
    ),
    _reference(
        "tagging_guessing",
        "tagging",
        "–",
        "Share of tags: for each word, the one that is usual for it",
    ),
    *(
        _reference(f"tagging_{arm}", "tagging", "BLSTM, Table 1", f"Share of tags: {name}", paper)
        for arm, name, paper in (
            ("forward", "in order", "about 0.66"),
            ("backward", "backwards", "–"),
            ("both", "both ways", "about 0.70"),
        )
    ),
)
