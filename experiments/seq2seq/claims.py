"""What the translation papers state. Light: imports no JAX.

A comparison counts only where the plain network translates better than looking up the most similar sentence
that it was trained on. Bounds are half of the papers' own effects. Attention spread evenly, states of an
untrained encoder, and two arms made equal, each fail (`tests/experiments/test_seq2seq.py`).
"""

import math

from lib.run.claims import Baseline, Claim

_NETWORKS = {
    "search": ("attention (RNNsearch)", "Bahdanau, Table 1", "26.75"),
    "encdec": ("encoder and decoder (RNNencdec)", "Bahdanau, Table 1", "17.82"),
    "forward": ("LSTM, source in order", "Sutskever, Table 1", "26.17"),
    "reversed": ("LSTM, source reversed", "Sutskever, Table 1", "30.59"),
}
_BETTER_THAN_LOOKING_UP = "the plain network is no better than a translation memory"


def _reference(id: str, part: str, where: str, statement: str, paper: str, unit: str = "") -> Claim:
    return Claim(
        id=id.replace("_", "-"),
        where=where,
        statement=statement,
        paper=paper,
        metric=id,
        part=part,
        kind="reference",
        target=math.nan,
        unit=unit,
    )


CLAIMS = (
    Claim(
        id="exact",
        where="Bahdanau, section 5",
        statement="Unseen numbers are translated: share without a wrong word, with attention",
        paper="–",
        metric="search_exact",
        part="search",
        kind="result",
        target=0.5,  # a translation memory: none; the papers count no such thing
        presets=("laptop",),
        headline="an attentive network translates numbers that it has not seen",
    ),
    Claim(
        id="attention",
        where="Bahdanau, Table 1",
        statement="Attention translates better: BLEU above that of the encoder and decoder alone",
        paper="8.93 (26.75 against 17.82)",
        metric="attention_gain",
        part="attention",
        kind="result",
        target=4.46,
        baseline=Baseline("attention_plain_over_memory", "at least", 0.0, _BETTER_THAN_LOOKING_UP),
        headline="attention translates better than one summary",
    ),
    Claim(
        id="long-sentences",
        where="Bahdanau, Figure 2",
        statement="Long sentences cost it less: its BLEU lost from the shortest fifth to the longest, as a "
        "share of what the network without attention loses",
        paper="flat, where the other falls",
        metric="attention_share_lost",
        part="attention",
        kind="result",
        holds_if="at most",
        target=0.5,
        baseline=Baseline(
            "attention_plain_lost",
            "at least",
            5.0,
            "the network without attention loses little on long sentences",
        ),
        headline="... and keeps up on long sentences, where the other falls",
    ),
    Claim(
        id="reversal",
        where="Sutskever, section 3.3",
        statement="Reading the source backwards helps an LSTM: BLEU above that of reading it in order",
        paper="4.42 (30.59 against 26.17)",
        metric="reversal_gain",
        part="reversal",
        kind="result",
        target=2.21,
        baseline=Baseline("reversal_plain_over_memory", "at least", 0.0, _BETTER_THAN_LOOKING_UP),
        headline="reading the source backwards helps an LSTM",
    ),
    Claim(
        id="reversal-perplexity",
        where="Sutskever, section 3.3",
        statement="... and it is less perplexed: perplexity as a share of the other's",
        paper="0.81 (4.7 against 5.8)",
        metric="reversal_perplexity",
        part="reversal",
        kind="result",
        holds_if="at most",
        target=0.905,
        baseline=Baseline("reversal_plain_over_memory", "at least", 0.0, _BETTER_THAN_LOOKING_UP),
    ),
    Claim(
        id="alignment",
        where="Bahdanau, Figure 3",
        statement="It looks where the word comes from: attention within one word of thousand or million "
        "while it writes mille or million",
        paper="agrees with intuition",
        metric="alignment_found",
        part="alignment",
        kind="result",
        target=0.5,  # attention spread evenly: alignment_even
        presets=("laptop",),
        headline="it looks at the word that it translates",
    ),
    _reference(
        "alignment_even",
        "alignment",
        "Bahdanau, Figure 3",
        "... were attention spread evenly",
        "–",
    ),
    Claim(
        id="order",
        where="Sutskever, section 3.8, Figure 2",
        statement="A sentence's state knows the order of its words: share of numbers nearer to one of the "
        "same thousands than to one of the same words with thousands and rest exchanged",
        paper="sensitive to the order of words",
        metric="map_order",
        part="phrase_map",
        kind="result",
        target=0.75,  # a bag of words: 0; a coin: 0.5
        presets=("laptop",),
        baseline=Baseline(
            "map_order_untrained", "at most", 0.65, "an untrained encoder's state knows it too"
        ),
        headline="a sentence's state knows the order of its words",
    ),
    _reference(
        "map_order_untrained",
        "phrase_map",
        "Sutskever, Figure 2",
        "... of an untrained encoder",
        "–",
    ),
    _reference(
        "map_neighbours",
        "phrase_map",
        "Cho, Figure 5",
        "Share of numbers whose nearest, by the encoder's state, has as many digits and begins alike",
        "clusters of meaning",
    ),
    _reference(
        "map_neighbours_untrained",
        "phrase_map",
        "Cho, Figure 5",
        "... of an untrained encoder",
        "–",
    ),
    _reference(
        "map_neighbours_bag",
        "phrase_map",
        "Cho, Figure 5",
        "... by how often each word is in the number",
        "–",
    ),
    Claim(
        id="beam",
        where="Sutskever, Table 1",
        statement="A beam helps: BLEU of the widest above that of one",
        paper="1.81 (34.81 against 33.00)",
        metric="beams_gain",
        part="beams",
        kind="result",
        target=0.9,
        presets=("paper",),
    ),
    _reference(
        "beams_bleu_1", "beams", "Sutskever, Table 1", "BLEU, attention, a beam of 1", "33.00"
    ),
    _reference(
        "beams_bleu_2", "beams", "Sutskever, Table 1", "BLEU, attention, a beam of 2", "34.50"
    ),
    _reference(
        "memory_bleu",
        "memory",
        "–",
        "BLEU of the translation of the most similar sentence in the training set",
        "33.30 (Moses)",
    ),
    *(
        _reference(f"{name}_bleu", name, where, f"BLEU: {words}", bleu)
        for name, (words, where, bleu) in _NETWORKS.items()
    ),
    *(
        _reference(f"{name}_exact", name, where, f"Share without a wrong word: {words}", "–")
        for name, (words, where, _) in _NETWORKS.items()
        if name != "search"
    ),
    *(
        _reference(f"{name}_perplexity", name, where, f"Perplexity a word: {words}", paper)
        for (name, (words, where, _)), paper in zip(
            _NETWORKS.items(), ("–", "–", "5.8", "4.7"), strict=True
        )
    ),
    *(
        _reference(f"{name}_parameters", name, where, f"Parameters: {words}", "–")
        for name, (words, where, _) in _NETWORKS.items()
    ),
)
