"""What the GAN paper states, and two later papers about it. Light: imports no JAX.

The bound of a result is half of the paper's own effect. Beside each stands what would score without it.
"""

from lib.run.claims import Baseline, Claim

SHARE = 0.5
"""Of the paper's effect, that ours must reach."""
PARZEN = 225.0
"""Nats, Table 1."""
UNTRAINED = -59.0
"""Nats, of the released generator before its first update (the mean image, hardly disturbed)."""

DIVERGENCE, D_FROM_HALF, PEAK = 0.015, 0.05, 1.25
"""Nats, of D, and of p_data's greatest density: the one-dimensional game at its end. Figure 1 calls panel (a)
"near convergence"; what is measured there stands beside, and must miss the first two."""

ON_MODES = 0.5
"""Share of the samples within three standard deviations of a mode, from which on a count of modes is one of
the ring's. Metz et al. show all of them there. Of a smear, the annulus 2 +- 0.5, it is 0.008."""
NEAR_RING = 0.5
"""Share of the samples nearer to a mode than half way to the next: what lies elsewhere has not collapsed."""
MODES = 8
"""Of the ring. A mode is covered by 1 % of the samples within three standard deviations of it; its
neighbourhood reaches half way to the next, and is visited by 1 % of the samples too. The annulus covers 0
and visits 8."""

CLAIMS = (
    Claim(
        id="parzen",
        where="Table 1",
        statement="Parzen log-likelihood of MNIST's test images",
        paper="225 ± 2",
        metric="parzen",
        part="table_1",
        kind="result",
        holds_if="within",
        target=PARZEN,
        tolerance=5,
        presets=("paper",),
        unit="nats",
        dataset="mnist",
        headline="Parzen log-likelihood of MNIST (deep GSN 214, DBN 138, stacked CAE 121)",
    ),
    Claim(
        id="parzen-gain",
        where="Table 1",
        statement="Training raises the Parzen log-likelihood over the untrained generator's",
        paper="225 ± 2 at the end",
        metric="parzen_gain",
        part="table_1",
        kind="result",
        holds_if="at least",
        # A generator that learns nothing gains 0.
        target=SHARE * (PARZEN - UNTRAINED),
        unit="nats",
        dataset="mnist",
        headline="training raises it over the untrained generator's",
    ),
    Claim(
        id="mnist-score",
        where="Salimans et al. 2016, with a small classifier trained here",
        statement="MNIST score of the samples, at most 10",
        paper="–",
        metric="mnist_score",
        part="table_1",
        kind="reference",
        dataset="mnist",
    ),
    Claim(
        id="parzen-train",
        where="caveat (Theis et al. 2016)",
        statement="The estimator gives real training images as samples a score near the paper's own",
        paper="243",
        metric="parzen_of_training_images",
        part="references",
        kind="pipeline",
        holds_if="within",
        target=243,
        tolerance=5,
        unit="nats",
        dataset="mnist",
    ),
    Claim(
        id="parzen-kmeans",
        where="caveat (Theis et al. 2016)",
        statement="k-means centroids as samples beat real training images: a high score proves little",
        paper="313 against 243",
        metric="parzen_kmeans_advantage",
        part="references",
        kind="pipeline",
        holds_if="at least",
        target=SHARE * (313 - 243),
        unit="nats",
        dataset="mnist",
    ),
    Claim(
        id="non-saturating",
        where="section 3",
        statement="Early on, log D(G(z)) gives G far larger gradients than log(1 - D(G(z))): ratio of norms",
        paper="much stronger",
        metric="gradient_ratio",
        part="section_3",
        # For samples that D gives D(G(z)) = p the ratio is (1 - p) / p: 1 before D has learned.
        kind="mechanism",
        holds_if="at least",
        target=10,
    ),
    Claim(
        id="equilibrium-density",
        where="Figure 1 (d)",
        statement="The 1-D game ends with p_g = p_data: Jensen-Shannon divergence",
        paper="0",
        metric="toy_divergence",
        part="figure_1",
        kind="result",
        holds_if="at most",
        target=DIVERGENCE,
        unit="nats",
        headline="the one-dimensional game ends with G's density on that of the data",
    ),
    Claim(
        id="equilibrium",
        where="Figure 1 (d)",
        statement="At the end of the 1-D game D = 1/2 on data: mean abs. deviation",
        paper="0",
        metric="toy_d_from_half",
        part="figure_1",
        kind="mechanism",
        holds_if="at most",
        target=D_FROM_HALF,
        # A D that was never trained answers 1/2 everywhere.
        baseline=Baseline(
            "toy_divergence", "at most", DIVERGENCE, "p_g is not p_data: D = 1/2 says nothing"
        ),
    ),
    Claim(
        id="no-spike",
        where="Figure 1 (d)",
        statement="The 1-D game ends without a spike: greatest density of p_g over that of p_data",
        paper="1",
        metric="toy_peak",
        part="figure_1",
        kind="mechanism",
        holds_if="at most",
        target=PEAK,
        # An untrained G spreads over too much, and has no spike either.
        baseline=Baseline(
            "toy_divergence", "at most", DIVERGENCE, "p_g is not p_data: a low peak says nothing"
        ),
    ),
    *(
        Claim(
            id=f"{what}-early",
            where="Figure 1 (a)",
            statement=f"The same in panel (a): {words}",
            paper="–",
            metric=f"toy_early_{metric}",
            part="figure_1",
            kind="reference",
            unit=unit,
        )
        for what, metric, words, unit in (
            ("equilibrium-density", "divergence", "Jensen-Shannon divergence", "nats"),
            ("equilibrium", "d_from_half", "mean abs. deviation of D from 1/2 on data", ""),
            ("spike", "peak", "greatest density of p_g over that of p_data", ""),
        )
    ),
    Claim(
        id="optimal-discriminator",
        where="Prop. 1",
        statement="A trained D is p_data / (p_data + p_g): mean abs. error on the 1-D toy",
        paper="0",
        metric="proposition_1_error",
        part="figure_1",
        kind="mechanism",
        holds_if="at most",
        target=0.05,
    ),
    Claim(
        id="criterion",
        where="Theorem 1",
        statement="C(G) + log 4 = 2 JSD(p_data, p_g): largest deviation over random densities",
        paper="0",
        metric="theorem_1_error",
        part="theorem_1",
        kind="identity",
        holds_if="at most",
        target=1e-6,
        unit="nats",
    ),
    Claim(
        id="convergence",
        where="Prop. 2",
        statement="With densities as tables and D optimal at each step, C(G) falls to -log 4: what is left",
        paper="0",
        metric="proposition_2_gap",
        part="proposition_2",
        kind="identity",
        holds_if="at most",
        target=1e-4,
        unit="nats",
    ),
    Claim(
        id="unrolled-quality",
        where="Metz et al. 2017, Fig. 2",
        statement="Unrolled GAN: share of the samples within three standard deviations of a mode",
        paper="all, in the figure",
        metric="ring_quality_unrolled",
        part="ring",
        kind="result",
        holds_if="at least",
        target=ON_MODES,
        headline="the unrolled game's samples lie on the ring's modes",
    ),
    Claim(
        id="unrolled-covers",
        where="Metz et al. 2017, Fig. 2",
        statement="Unrolled GAN: modes of the ring of 8 covered",
        paper="8",
        metric="ring_modes_unrolled",
        part="ring",
        kind="result",
        holds_if="at least",
        # Of a count the half would be four modes lost: not what the paper shows.
        target=MODES - 0.5,
        baseline=Baseline(
            "ring_quality_unrolled",
            "at least",
            ON_MODES,
            "the unrolled game's samples lie beside the modes",
        ),
    ),
    Claim(
        id="unrolled-beats-plain",
        where="Metz et al. 2017, Fig. 2",
        statement="Unrolling recovers modes that the plain GAN loses: modes gained, same start and data",
        paper="covers all, against one at a time",
        metric="ring_modes_gained",
        part="ring",
        kind="result",
        holds_if="at least",
        target=SHARE * (MODES - 1),
        baseline=Baseline(
            "ring_quality_unrolled",
            "at least",
            ON_MODES,
            "the unrolled game's samples lie beside the modes",
        ),
        headline="unrolling recovers modes that the plain game loses",
    ),
    Claim(
        id="plain-collapses",
        where="section 6; Metz et al. 2017, Fig. 2",
        statement='Plain GAN: neighbourhoods of the 8 modes visited ("Helvetica", mode collapse)',
        paper="one at a time",
        # Not the modes covered: few are also where a generator hits nothing.
        metric="ring_neighbourhoods_plain",
        part="ring",
        kind="result",
        holds_if="at most",
        target=SHARE * MODES,
        baseline=Baseline(
            "ring_near_plain",
            "at least",
            NEAR_RING,
            "the plain game's samples are far from the ring",
        ),
        headline="the plain game collapses onto few modes",
    ),
    *(
        Claim(
            id=f"{name}-{what}",
            where=where,
            statement=f"{words}: {counted}",
            paper="–",
            metric=f"ring_{what}_{name}",
            part="ring",
            kind="reference",
        )
        for name, words, where, whats in (
            ("plain", "Plain GAN", "Metz et al. 2017, Fig. 2", ("modes", "quality", "near")),
            (
                "annulus",
                "An annulus over the ring, which nobody trained",
                "what the counts are worth",
                ("modes", "quality", "neighbourhoods"),
            ),
        )
        for what, counted in (
            ("modes", "modes of the ring of 8 covered"),
            ("quality", "share of the samples within three standard deviations of a mode"),
            ("near", "share of the samples in the neighbourhood of a mode"),
            ("neighbourhoods", "neighbourhoods of the 8 modes visited"),
        )
        if what in whats
    ),
)
