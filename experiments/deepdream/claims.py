"""What the blog and the notebook state. Light: imports no JAX.

They show images and give no number. So a bound is one that the image without the effect clearly misses:
the photograph, steps in random directions, two arms that are the same.
"""

from lib.run.claims import Baseline, Claim

SHARE_OF_DOGS = 118 / 1000
"""Of ImageNet's classes."""

CLAIMS = (
    Claim(
        id="ascent",
        where="notebook, make_step",
        statement="The layer finds more of what it found: its squared norm after steps along the gradient, "
        "of that after as long steps in random directions",
        paper="–",
        metric="rise_over_random",
        part="dream",
        kind="mechanism",
        target=2,
    ),
    Claim(
        id="octaves-rise",
        where="notebook, deepdream",
        statement="... and at every octave: share of the octaves in which it ends higher than it began",
        paper="–",
        metric="octaves_rising",
        part="dream",
        kind="mechanism",
        target=1,
    ),
    # Of two arms that are the same: 1.
    Claim(
        id="octaves-coarser",
        where="notebook, deepdream",
        statement="Octaves draw larger patterns too: mean wavelength of what is added, of that of as many "
        "steps at the full size",
        paper="across multiple scales",
        metric="octaves_coarser",
        part="dream",
        kind="result",
        target=1.25,
        headline="octaves draw larger patterns: wavelength, of that without octaves",
    ),
    Claim(
        id="in-range",
        where="notebook, make_step",
        statement="Pixels stay within 0 to 255: share outside",
        paper="0",
        metric="outside",
        part="dream",
        kind="identity",
        holds_if="at most",
        target=0,
        presets=("smoke", "notebook", "laptop", "paper"),
    ),
    # Of the same layer twice: 1.
    Claim(
        id="strokes",
        where="blog, layer enhancement",
        statement="Lower layers give strokes, higher ones larger things: mean wavelength of what the highest "
        "layer adds, of that of what the lowest adds",
        paper="strokes; whole objects",
        metric="wavelength_high_over_low",
        part="layers",
        kind="result",
        target=1.5,
        headline="higher layers add larger things: wavelength, of that of the lowest",
    ),
    Claim(
        id="strokes-order",
        where="blog, layer enhancement",
        statement="... from layer to layer: rank correlation of depth and wavelength",
        paper="–",
        metric="wavelengths_ordered",
        part="layers",
        kind="result",
        target=0.7,
    ),
    Claim(
        id="strokes-untrained",
        where="blog, layer enhancement",
        statement="Highest over lowest, of the same layers with their weights in random order",
        paper="–",
        metric="wavelength_untrained_high_over_low",
        part="layers",
        kind="reference",
    ),
    Claim(
        id="objects",
        where="blog, layer enhancement",
        statement="What the highest layer dreams is more of some class than what the lowest dreams: entropy "
        "of the judge's classes, less by",
        paper="complex features or whole objects",
        metric="entropy_falls",
        part="layers",
        kind="result",
        target=0.5,
        unit="nats",
        headline="... and more like some class: entropy of a judge's classes, less by",
    ),
    # Of classes amplified alike, whichever they are: their share of the classes.
    Claim(
        id="dogs",
        where="blog, dogs",
        statement="Dreams turn into dogs: the judge's probability of dogs afterwards (118 of 1 000 classes; "
        "the bound is twice that share)",
        paper="many dogs",
        metric="dogs_after",
        part="dogs",
        kind="result",
        target=2 * SHARE_OF_DOGS,
        headline="dreams turn into dogs: probability afterwards (share of classes .118)",
    ),
    Claim(
        id="dogs-gain",
        where="blog, dogs",
        statement="... more than it was in the photographs and in noise, by",
        paper="–",
        metric="dogs_gain",
        part="dogs",
        kind="result",
        target=SHARE_OF_DOGS,
    ),
    Claim(
        id="dogs-before",
        where="blog, dogs",
        statement="The judge's probability of dogs before",
        paper="–",
        metric="dogs_before",
        part="dogs",
        kind="reference",
    ),
    Claim(
        id="dogs-random",
        where="blog, dogs",
        statement="... and after as many steps in random directions",
        paper="–",
        metric="dogs_random",
        part="dogs",
        kind="reference",
    ),
    Claim(
        id="dogs-first",
        where="blog, dogs",
        statement="Dreams of which a dog is the likeliest class: share",
        paper="–",
        metric="dogs_first",
        part="dogs",
        kind="reference",
    ),
    # Of two networks that are the same: 0. All dreams instead of a tenth of them: 0.9.
    Claim(
        id="favoured",
        where="blog, dogs",
        statement="A class shown ten times as often is dreamt more often than by a network that saw all "
        "classes alike: share of dreams, more by",
        paper="because of many dogs in the training images",
        metric="favoured_gain",
        part="imbalance",
        kind="result",
        target=0.1,
        baseline=Baseline(
            "small_told_apart", "at least", 4, "the judge does not tell the dreams apart"
        ),
        headline="a class seen more often is dreamt more often: share of dreams, more by",
    ),
    Claim(
        id="favoured-share",
        where="blog, dogs",
        statement="Share of the dreams judged to be the favoured class",
        paper="–",
        metric="favoured_share",
        part="imbalance",
        kind="reference",
    ),
    Claim(
        id="favoured-changed",
        where="blog, dogs",
        statement="Share of the balanced network's dreams that the judge takes for another digit than before",
        paper="–",
        metric="small_changed",
        part="imbalance",
        kind="reference",
    ),
    Claim(
        id="favoured-learned",
        where="blog, dogs",
        statement="All small networks have learned their digits: the least accuracy",
        paper="–",
        metric="small_accuracy_least",
        part="imbalance",
        kind="mechanism",
        target=0.9,
    ),
    # Of dreams without the guide, or with the other: 0 on average.
    Claim(
        id="guided",
        where="notebook, guided dream",
        statement="A guided dream's features find their like in the guide: mean best cosine, share of the "
        "way from the other guide's dream to 1",
        paper="flowers in the sky",
        metric="guide_specific",
        part="guided",
        kind="result",
        target=0.1,
        headline="guided dreams take after their guide: cosine, share of the way to 1",
    ),
    Claim(
        id="guided-unguided",
        where="notebook, guided dream",
        statement="... from the same dream without a guide",
        paper="–",
        metric="guide_over_unguided",
        part="guided",
        kind="result",
        target=0.1,
    ),
    # By chance: 5 of 1 000.
    Claim(
        id="classes",
        where="blog, Figure 1",
        statement="From noise towards a class: share of the classes that another network names among its "
        "five likeliest",
        paper="all that are shown",
        metric="classes_found",
        part="classes",
        kind="result",
        target=0.5,
        baseline=Baseline("judged_by_another", "at least", 1, "the network judges itself"),
    ),
    Claim(
        id="classes-prior",
        where="blog, Figure 1",
        statement="... and how much larger the share is than without the prior of natural images",
        paper="does not work very well without",
        metric="classes_prior_gain",
        part="classes",
        kind="result",
        target=0.25,
        baseline=Baseline("judged_by_another", "at least", 1, "the network judges itself"),
    ),
    # An image that is only magnified: 1.
    Claim(
        id="endless",
        where="blog, iterative art generation",
        statement="Zooming, one sees new things: correlation of the last frame with the first, "
        "enlarged as much",
        paper="an endless stream of new impressions",
        metric="zoom_old",
        part="zoom",
        kind="result",
        holds_if="at most",
        target=0.3,
    ),
    Claim(
        id="follows",
        where="notebook, zoom",
        statement="... and each frame goes on from the one before: their correlation, the earlier enlarged",
        paper="–",
        metric="zoom_follows",
        part="zoom",
        kind="mechanism",
        target=0.5,
    ),
)
