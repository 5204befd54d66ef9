"""What the SRCNN paper states, and the study notes' questions. Light: imports no JAX.

The bound of a result is half of the paper's own effect on the images that the run scores: its Set5, and
for the photographs of `laptop` its BSD200, 200 photographs of all kinds (Table 4), where it gives a number.
"""

import dataclasses
from collections.abc import Iterator

from lib.run.claims import Baseline, Claim

BICUBIC = {2: 33.66, 3: 30.39, 4: 28.42}
"""Table 2, Set5, PSNR in dB."""
IMAGENET = {2: 36.66, 3: 32.75, 4: 30.49}
"""Table 2: 9-5-5 trained on ImageNet."""
T91 = {2: 36.34, 3: 32.39, 4: 30.09}
"""ECCV 2014, Table 1: 9-1-5 trained on T91."""
RELEASED = (
    ("9-5-5(ImageNet)", 2, "psnr", 36.66, 0.02),
    ("9-5-5(ImageNet)", 3, "psnr", 32.75, 0.02),
    ("9-5-5(ImageNet)", 4, "psnr", 30.49, 0.02),
    ("9-5-5(ImageNet)", 3, "ssim", 0.9090, 0.0005),
    ("9-5-5(ImageNet)", 3, "ms_ssim", 0.9866, 0.001),
    ("9-5-5(ImageNet)", 3, "ifc", 4.58, 0.1),
    ("9-3-5(ImageNet)", 3, "psnr", 32.66, 0.02),
    ("9-1-5(ImageNet)", 3, "psnr", 32.52, 0.02),
    ("9-1-5(91 images)", 2, "psnr", 36.34, 0.02),
    ("9-1-5(91 images)", 3, "psnr", 32.39, 0.02),
    ("9-1-5(91 images)", 4, "psnr", 30.09, 0.02),
)
"""What the authors' weights score in the paper: network, scale, measure, number, tolerance."""
UNITS = {"psnr": "dB", "ssim": "", "ms_ssim": "", "ifc": "bits a pixel"}
LEARNED = 0.5
"""dB over bicubic that a comparison's other side must have, or it has not learned its task."""

PROTOCOL = tuple(
    Claim(
        id=f"bicubic-x{scale}",
        where="Table 2",
        statement=f"The protocol is the paper's: bicubic on Set5, ×{scale}",
        paper=f"{psnr:.2f} dB",
        metric=f"bicubic_psnr_set5_x{scale}",
        part="bicubic",
        kind="pipeline",
        holds_if="within",
        target=psnr,
        tolerance=0.01,
        unit="dB",
        dataset="set5",
    )
    for scale, psnr in BICUBIC.items()
)

AUTHORS = tuple(
    Claim(
        id=f"authors-{name}-x{scale}-{measure}",
        where="Table 2" if name.startswith("9-5-5") else "sections 4.1, 4.3",
        statement=f"The authors' weights in our network: {name}, Set5, ×{scale}, {measure.upper()}",
        paper=f"{value:g}",
        metric=f"authors {name}_{measure}_set5_x{scale}",
        part="authors",
        kind="pipeline",
        holds_if="within",
        target=value,
        tolerance=tolerance,
        unit=UNITS[measure],
        dataset="set5",
    )
    for name, scale, measure, value, tolerance in RELEASED
)

OURS = tuple(
    Claim(
        id=f"t91-x{scale}",
        where="Table 2; ECCV Table 1",
        statement=f"Our 9-5-5, trained on T91 (the paper has none), Set5, ×{scale}",
        paper=f"{IMAGENET[scale]:.2f} dB (9-5-5, ImageNet); {T91[scale]:.2f} dB (9-1-5, T91)",
        metric=f"ours_psnr_set5_x{scale}",
        part="table_2",
        kind="reference",
        unit="dB",
        dataset="t91",
    )
    for scale in T91
)

GAINS = tuple(
    Claim(
        id=f"beats-bicubic-set5-x{scale}",
        where="Table 2",
        statement=f"SRCNN (9-5-5) beats bicubic by far on Set5, ×{scale}",
        paper=f"+{IMAGENET[scale] - BICUBIC[scale]:.2f} dB (9-5-5, ImageNet, Set5 ×{scale})",
        metric=f"gain_set5_x{scale}",
        part="table_2",
        kind="result",
        holds_if="at least",
        target=round((IMAGENET[scale] - BICUBIC[scale]) / 2, 3),  # half of the paper's effect
        unit="dB",
        dataset="set5",
        headline="better than bicubic by far" if scale == 3 else "",
    )
    for scale in BICUBIC
)


def on_both(
    id: str, headline: str, set5: tuple[str, float], photographs: tuple[str, float], **about
) -> Iterator[Claim]:
    """A result on Set5, and on the photographs of `laptop`; each has the paper's words and a bound.

    Names in `about` (`metric`, and a baseline's) have `{}` for the set.
    """
    baseline, where, metric = about.pop("baseline"), about.pop("where"), about.pop("metric")
    for dataset, (paper, target) in (("set5", set5), ("photographs", photographs)):
        yield Claim(
            id=id if dataset == "photographs" else f"{id}-{dataset}",
            where=where if dataset == "set5" else f"{where}, here on photographs",
            metric=metric.format(dataset),
            paper=paper,
            kind="result",
            holds_if="at least",
            target=target,
            presets=("laptop",) if dataset == "photographs" else ("laptop", "paper"),
            unit="dB",
            dataset=dataset,
            baseline=Baseline(baseline[0].format(dataset), "at least", LEARNED, baseline[1]),
            headline=headline if dataset == "set5" else "",
            **about,
        )


def filters(smaller: str, effect: float, headline: str = "") -> Iterator[Claim]:
    """Section 4.3.2: 9-5-5 over 9-1-5 or 9-3-5. There are numbers for Set5 only."""
    return on_both(
        f"filters-{smaller}",
        headline,
        (f"+{effect} dB (9-5-5 over {smaller}, ImageNet)", effect / 2),
        (f"+{effect} dB on Set5", effect / 2),
        where="section 4.3.2",
        statement=f"Larger filters in the second layer help: 9-5-5 over {smaller}, ×3",
        metric=f"filters_gain_over_{smaller}_{{}}_x3",
        part="section_4_3_2",
        baseline=(f"filters_{smaller}_over_bicubic_{{}}_x3", f"{smaller} has not learned"),
    )


def study(id: str, statement: str, paper: str, target: float, metric: str, **about) -> Claim:
    """A result on Set5 of networks of our training beside one another."""
    learned = Baseline(about.pop("learned"), "at least", LEARNED, about.pop("otherwise"))
    about = {"presets": ("laptop", "paper"), "holds_if": "at least"} | about
    return Claim(
        id=id,
        statement=statement,
        paper=paper,
        metric=metric,
        kind="result",
        target=target,
        unit="dB",
        dataset="set5",
        baseline=learned,
        **about,
    )


STUDIES = (
    study(
        "last-layer",
        "A smaller learning rate for the last layer helps: a tenth over the same as elsewhere, 9-1-5, ×3",
        "needed to converge (no number)",
        0.05,  # the same twice gives 0
        "last_gain_set5_x3",
        where="section 3.3",
        part="section_3_3",
        learned="last_same_over_bicubic_set5_x3",
        otherwise="with one rate for all layers it has not learned",
        presets=("paper",),
    ),
    study(
        "more-data",
        "More training images help, 9-1-5, ×3, as many updates (here T91 and BSD200 over T91)",
        "+0.13 dB (ImageNet over T91)",
        0.065,
        "data_gain_set5_x3",
        where="section 4.1, Figure 4",
        part="section_4_1",
        learned="data_small_over_bicubic_set5_x3",
        otherwise="on T91 it has not learned",
    ),
    study(
        "filters-128",
        "More filters help: 128 and 64 over 64 and 32, 9-1-5, ×3",
        "+0.08 dB (ImageNet)",
        0.04,
        "number_gain_128-64_set5_x3",
        where="section 4.3.1, Table 1",
        part="section_4_3_1",
        learned="number_64-32_over_bicubic_set5_x3",
        otherwise="64 and 32 filters have not learned",
    ),
    study(
        "filters-64",
        "More filters help: 64 and 32 over 32 and 16, 9-1-5, ×3",
        "+0.26 dB (ImageNet)",
        0.13,
        "number_gain_64-32_set5_x3",
        where="section 4.3.1, Table 1",
        part="section_4_3_1",
        learned="number_32-16_over_bicubic_set5_x3",
        otherwise="32 and 16 filters have not learned",
    ),
    *(
        study(
            f"deeper-{deeper}",
            f"Deeper is not better: {deeper} over {base}, ×3",
            "no gain",
            0.0,
            f"layers_gain_{deeper}_set5_x3",
            where="section 4.3.3, Figures 8 and 9",
            part="section_4_3_3",
            learned=f"layers_{deeper}_over_bicubic_set5_x3",
            otherwise=f"{deeper} has not learned",
            holds_if="at most",
        )
        for deeper, base in (("9-1-1-5", "9-1-5"), ("9-3-1-5", "9-3-5"), ("9-5-1-5", "9-5-5"))
    ),
    study(
        "a-plus",
        "SRCNN (9-5-5) over A+ learned from the same images, ×3",
        "+0.16 dB (SRCNN trained on ImageNet)",
        0.08,
        "a_plus_psnr_behind_set5_x3",
        where="Table 2",
        part="a_plus",
        learned="a_plus_over_bicubic_set5_x3",
        otherwise="A+ has not learned",
    ),
    dataclasses.replace(
        study(
            "a-plus-ifc",
            "... but A+ has more of the information fidelity criterion (IFC): by",
            "0.26 (4.84 against 4.58)",
            0.13,
            "a_plus_ifc_ahead_set5_x3",
            where="Table 2",
            part="a_plus",
            learned="a_plus_over_bicubic_set5_x3",
            otherwise="A+ has not learned",
        ),
        unit="bits a pixel",
    ),
    *(
        Claim(
            id=f"a-plus-{measure}-x3",
            where="Table 2",
            statement=f"A+ learned here from T91, Set5, ×3, {measure.upper()}",
            paper=f"{value}",
            metric=f"a_plus_{measure}_set5_x3",
            part="a_plus",
            kind="reference",
            unit=UNITS[measure],
            dataset="set5",
        )
        for measure, value in (("psnr", 32.59), ("ifc", 4.84))
    ),
)

CLAIMS = (
    *PROTOCOL,
    *AUTHORS,
    Claim(
        id="t91-9-1-5-x3",
        where="ECCV Table 1",
        statement="SRCNN 9-1-5 trained on T91, Set5, ×3",
        paper="32.39 dB (9-1-5, T91, Set5 ×3)",
        metric="filters_9-1-5_psnr_set5_x3",
        part="section_4_3_2",
        kind="result",
        holds_if="at least",
        target=32.39,
        unit="dB",
        dataset="t91",
        headline="as good as the paper's, like beside like",
    ),
    *OURS,
    *GAINS,
    Claim(
        id="beats-bicubic",
        where="Table 4, here on photographs",
        statement="SRCNN (9-5-5) beats bicubic by far, ×3",
        paper="+1.24 dB on BSD200 with ImageNet",
        metric="gain_photographs_x3",
        part="table_2",
        kind="result",
        holds_if="at least",
        target=0.62,  # half of the paper's effect on BSD200
        presets=("laptop",),
        unit="dB",
        dataset="photographs",
    ),
    Claim(
        id="crosses-bicubic",
        where="Figure 1",
        statement="The learning curve crosses bicubic early: fraction of the training before it",
        paper="a few percent",
        metric="crossing",
        part="figure_1",
        kind="result",
        holds_if="at most",
        target=0.05,  # a curve that never crosses has 1
        presets=("paper",),
    ),
    *on_both(
        "beats-sparse-coding",
        "better than sparse coding learned from the same images",
        ("+1.33 dB (Set5 ×3)", 0.665),
        ("+0.64 dB on BSD200", 0.32),
        where="Tables 2 and 4",
        statement="SRCNN beats sparse coding learned from the same images, ×3",
        metric="lead_over_sparse_{}_x3",
        part="figure_1",
        baseline=("lead_of_sparse_{}_x3", "sparse coding has not learned"),
    ),
    *filters("9-1-5", 0.23, "larger filters help"),
    *filters("9-3-5", 0.09),
    *STUDIES,
    *on_both(
        "colors-joint",
        "training on Y, Cb and Cr together is much worse",
        ("3.14 dB", 1.57),
        ("3.14 dB on Set5", 1.57),
        where="Table 5",
        statement="Trained on Y, Cb and Cr together, SRCNN is worse on Y than trained on Y alone: by",
        metric="color_y_over_ycbcr_{}_x3",
        part="table_5",
        baseline=("color_y_over_bicubic_{}_x3", "the network of Y alone has not learned"),
        failed_because="perhaps: one that starts by copying its input need not learn to keep channels apart",
    ),
    *on_both(
        "colors-rgb",
        "training on RGB is better than on Y alone",
        ("+0.07 dB", 0.035),
        ("+0.07 dB on Set5", 0.035),
        where="Table 5",
        statement="Training on RGB is better than on Y alone, on RGB's PSNR",
        metric="color_rgb_over_y_{}_x3",
        part="table_5",
        baseline=("color_y_over_bicubic_{}_x3", "the network of Y alone has not learned"),
    ),
    Claim(
        id="repeated-x8",
        where="study notes, Q&A",
        statement="Doubling again and again is fine up to ×8: gain over bicubic at once",
        paper="fine",
        metric="repeated_gain_x8",
        part="repeated",
        kind="result",
        holds_if="at least",
        target=LEARNED,  # doubling bicubically has -0.04 on laptop's photographs
        unit="dB",
    ),
    Claim(
        id="repeated-fades",
        where="study notes, Q&A",
        statement="... and fails from ×16: what is left there of the gain at ×2",
        paper="fails",
        metric="repeated_gain_kept",
        part="repeated",
        kind="result",
        holds_if="at most",
        target=0.25,
        baseline=Baseline(
            "repeated_gain_x2", "at least", LEARNED, "the ×2 network has not learned"
        ),
        failed_because="at most 0.25: counted in dB over bicubic, there is no cliff at ×16",
    ),
    Claim(
        id="ill-posed",
        where="section 1",
        statement="Two different images have one low-resolution image: its largest difference, of 255",
        paper="0",
        metric="twins_shrunk_differ",
        part="ill_posed",
        kind="identity",
        holds_if="at most",
        target=0.01,
    ),
    Claim(
        id="ill-posed-differ",
        where="section 1",
        statement="... though the images differ: root mean square, of 255",
        paper="> 0",
        metric="twins_differ",
        part="ill_posed",
        kind="identity",
        holds_if="at least",
        target=10,
    ),
)
