"""What Cho et al. 2014 state. Light: imports no JAX.

The paper has few numbers for what it shows of the network itself; where it has none the bounds are ours. An
untrained network, and arms made equal, fail each (`tests/experiments/test_encoder_decoder_phrases.py`).
"""

import math

from lib.run.claims import Baseline, Claim


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


_RESETS = {
    "after": "reset after the product (cuDNN, PyTorch)",
    "after_with_context": "reset after it and after c's (the paper's appendix, decoder)",
}
_NAMES = {
    "gru": "the paper's network",
    "tanh": "with tanh units",
    "lstm": "with LSTM",
    "start": "with c at the decoder's start only",
}

CLAIMS = (
    Claim(
        id="ranking",
        where="section 4.3",
        statement="The right target of a phrase that was not trained on is the likeliest of ten as long",
        paper="scores capture linguistic regularities",
        metric="gru_ranking",
        part="networks",
        kind="result",
        target=0.8,  # guessing, or an untrained network: 0.1
        headline="it finds the target of a phrase that it has not seen, among ten",
    ),
    Claim(
        id="gates",
        where="section 2.3",
        statement="Gates are needed: nats of a phrase that was not trained on, as a share of those with tanh "
        "units",
        paper="no meaningful result with tanh units",
        metric="gates_share",
        part="networks",
        kind="result",
        holds_if="at most",
        target=0.9,
        baseline=Baseline(
            "tanh_ranking", "at least", 0.3, "the network with tanh units has not learned"
        ),
        headline="units with gates do better than tanh units",
    ),
    Claim(
        id="context",
        where="section 2.2",
        statement="The decoder is told c at every step: nats as a share of those with c at its start only",
        paper="–",
        metric="context_share",
        part="networks",
        kind="result",
        holds_if="at most",
        target=0.95,
        baseline=Baseline(
            "start_ranking", "at least", 0.3, "the network with c at its start has not learned"
        ),
        headline="to be told the phrase's vector at every step helps",
    ),
    Claim(
        id="figure-3",
        where="Figure 3",
        statement="Scores of network and table agree, though no frequency was seen: rank correlation",
        paper="many agree",
        metric="figure_3_correlation",
        part="figure_3",
        kind="result",
        target=0.3,
        baseline=Baseline(
            "figure_3_correlation_untrained", "at most", 0.2, "an untrained network's agree too"
        ),
        headline="its scores agree with the table's, whose frequencies it never saw",
    ),
    Claim(
        id="within",
        where="Figure 3",
        statement="... also between targets of one phrase: couples that both order alike, beyond an "
        "untrained network",
        paper="many agree",
        metric="figure_3_learned_agreement",
        part="figure_3",
        kind="result",
        target=0.05,
    ),
    Claim(
        id="shorter",
        where="section 4.3, Table 2",
        statement="It prefers short phrases: words by which its best target is shorter than the table's",
        paper="shorter in general",
        metric="table_2_shorter",
        part="table_2",
        kind="result",
        target=0.1,
    ),
    Claim(
        id="samples",
        where="Table 3",
        statement="What it makes up for a phrase that it has not seen is well formed: share of 50 samples "
        "that the table has",
        paper="well-formed without the table",
        metric="table_3_right",
        part="table_2",
        kind="result",
        target=0.5,
    ),
    Claim(
        id="table-1",
        where="Table 1",
        statement="Its score improves a phrase-based translator: BLEU above that of the same without it, "
        "weights tuned alike",
        paper="0.57 (33.87 against 33.30)",
        metric="table_1_gain",
        part="table_1",
        kind="result",
        target=0.285,
        presets=("laptop",),
        baseline=Baseline(
            "table_1_room", "at least", 1.0, "the best of the n best translations is hardly better"
        ),
        headline="its score improves a phrase-based translator",
    ),
    Claim(
        id="words",
        where="Figure 4",
        statement="Words alike in meaning are near: share whose nearest is of the same class of numerals",
        paper="clusters of meaning",
        metric="words_alike",
        part="maps",
        kind="result",
        target=0.6,
        presets=("laptop",),
        baseline=Baseline(
            "words_alike_untrained", "at most", 0.45, "untrained embeddings have them too"
        ),
    ),
    Claim(
        id="phrases",
        where="Figure 5",
        statement="Phrases built alike are near: share whose nearest, by c, has the same classes of words in "
        "the same order",
        paper="clusters of meaning and of syntax",
        metric="phrases_alike",
        part="maps",
        kind="result",
        target=0.6,
        presets=("laptop",),
        baseline=Baseline(
            "phrases_alike_untrained", "at most", 0.45, "an untrained c has them too"
        ),
        headline="its vectors of phrases lie by how they are built",
    ),
    _reference("figure_3_agreement", "figure_3", "Figure 3", "Couples ordered alike"),
    _reference(
        "figure_3_agreement_untrained", "figure_3", "Figure 3", "... by an untrained network"
    ),
    _reference(
        "figure_3_correlation_untrained",
        "figure_3",
        "Figure 3",
        "Rank correlation, untrained network",
    ),
    _reference(
        "figure_3_length", "figure_3", "section 4.3", "Rank correlation of its score with length"
    ),
    _reference("figure_3_length_table", "figure_3", "section 4.3", "... of the table's score"),
    _reference("table_1_base", "table_1", "Table 1", "BLEU, table and language model", "33.30"),
    _reference("table_1_network", "table_1", "Table 1", "... and the network's score", "33.87"),
    _reference("table_1_low", "table_1", "Table 1", "Gain, lower end of its 95 % (bootstrap)"),
    _reference("table_1_high", "table_1", "Table 1", "Gain, upper end"),
    _reference("table_1_oracle", "table_1", "Table 1", "BLEU of the best of the n best"),
    _reference("words_alike_untrained", "maps", "Figure 4", "Words: the same, untrained"),
    _reference("phrases_alike_untrained", "maps", "Figure 5", "Phrases: the same, untrained"),
    _reference(
        "phrases_alike_bag", "maps", "Figure 5", "Phrases: the same, by counts of their words"
    ),
    *(
        _reference(f"{arm}_{what}", "networks", "section 2", f"{words}: {name}")
        for what, words in (
            ("nats", "Nats of an unseen phrase"),
            ("perplexity", "Perplexity a word"),
            ("ranking", "Right target of ten"),
            ("parameters", "Parameters"),
        )
        for arm, name in _NAMES.items()
        if (arm, what) != ("gru", "ranking")
    ),
    *(
        _reference(f"{arm}_nats", "resets", "appendix A.1", f"Nats of an unseen phrase: {name}")
        for arm, name in _RESETS.items()
    ),
)
