"""What the papers state. Light: imports no JAX.

They show maps and patches. So a bound is one that a map of something else, patches taken at random or an
untrained network clearly miss.
"""

from lib.run.claims import Baseline, Claim

ANOTHER = Baseline("class_judged_by_another", "at least", 1, "the network judges itself")
LEARNED = Baseline("net_accuracy", "at least", 0.95, "the network has not learned its digits")

CLAIMS = (
    # Of cells taken at random: 0.
    Claim(
        id="saliency",
        where="Simonyan, section 3",
        statement="The gradient of its score finds what a class depends on: with the tenth of the image that "
        "is most salient hidden, more of its probability is lost than with a tenth at random, by",
        paper="maps of the object",
        metric="saliency_gain",
        part="saliency",
        kind="result",
        target=0.2,
        headline="hiding what is salient costs more probability than at random, by",
    ),
    Claim(
        id="saliency-random",
        where="Simonyan, section 3",
        statement="Share of its probability that is lost at random",
        paper="–",
        metric="saliency_lost_random",
        part="saliency",
        kind="reference",
    ),
    Claim(
        id="occlusion",
        where="Zeiler, Figure 7",
        statement="A grey square takes most of a class's probability away somewhere: largest share, mean "
        "over photographs",
        paper="drops significantly",
        metric="occlusion_falls",
        part="occlusion",
        kind="result",
        target=0.5,
        headline="a grey square takes a class's probability away: largest share",
    ),
    # Of maps that are the same whatever is seen: 0.
    Claim(
        id="agreement",
        where="Zeiler, Figure 7; Simonyan, section 3",
        statement="Both maps are of the same thing: rank correlation of what saliency and occlusion find, "
        "more than with the maps of other photographs by",
        paper="–",
        metric="occlusion_agreement",
        part="occlusion",
        kind="result",
        target=0.1,
    ),
    # By chance: 5 of 1 000 in both arms.
    Claim(
        id="recognisable",
        where="Yosinski, section 3",
        statement="Regularised, class images are more recognisable: share that another network names among "
        "its five likeliest, more than of those without regularisation by",
        paper="more recognizable",
        metric="class_found_gain",
        part="class_images",
        kind="result",
        target=0.25,
        baseline=ANOTHER,
        headline="regularised class images are more recognisable: share named, more by",
    ),
    Claim(
        id="recognised",
        where="Yosinski, section 3",
        statement="Share named, regularised",
        paper="–",
        metric="class_found_together",
        part="class_images",
        kind="reference",
    ),
    Claim(
        id="recognised-none",
        where="Yosinski, section 3",
        statement="... not regularised",
        paper="–",
        metric="class_found_none",
        part="class_images",
        kind="reference",
    ),
    # Of two arms that are the same: 1.
    Claim(
        id="score",
        where="Simonyan, section 2",
        statement="The probability of a class rises also by lowering the others: with it as the objective, "
        "the class's score, of that with the score as the objective",
        paper="by minimising the scores of other classes",
        metric="class_score_left",
        part="class_images",
        kind="result",
        holds_if="at most",
        target=0.75,
    ),
    # Of two arms that are the same: 1.
    Claim(
        id="blur",
        where="Yosinski, section 3",
        statement="A blur now and then takes fine noise away: total variation at the same contrast, of that "
        "without",
        paper="penalizes high frequency information",
        metric="class_rough_left",
        part="class_images",
        kind="mechanism",
        holds_if="at most",
        target=0.75,
    ),
    # Of the same network before training: 0. It prefers ink to the background as well, so that patches at
    # random places, most of them black, are no control.
    Claim(
        id="alike",
        where="Zeiler, Figure 2",
        statement="What most excites a map looks alike: mean cosine of its nine patches, more than of nine "
        "at random places; and that more than before training by",
        paper="similar structure",
        metric="patches_learned",
        part="deconvnet",
        kind="result",
        target=0.1,
        dataset="mnist",
        baseline=LEARNED,
        headline="a map's strongest patches look alike: cosine, more than untrained by",
    ),
    Claim(
        id="alike-trained",
        where="Zeiler, Figure 2",
        statement="Mean cosine, more than at random places, trained",
        paper="–",
        metric="patches_alike",
        part="deconvnet",
        kind="reference",
    ),
    Claim(
        id="alike-untrained",
        where="Zeiler, Figure 2",
        statement="... before training",
        paper="–",
        metric="patches_alike_untrained",
        part="deconvnet",
        kind="reference",
    ),
    # Of another patch's projection: 0. It holds of an untrained network too: it is how a DeConvNet works.
    Claim(
        id="projection",
        where="Zeiler, section 2",
        statement="A projection shows the patch that it came from: correlation, more than with the other "
        "patches of the map by",
        paper="the stimuli that excite the map",
        metric="projection_own",
        part="deconvnet",
        kind="mechanism",
        target=0.1,
        dataset="mnist",
    ),
    Claim(
        id="projection-untrained",
        where="Zeiler, section 2",
        statement="... before training",
        paper="–",
        metric="projection_own_untrained",
        part="deconvnet",
        kind="reference",
    ),
    Claim(
        id="projection-deconvnet",
        where="Zeiler, section 2",
        statement="Correlation of projection and patch",
        paper="–",
        metric="projection_deconvnet",
        part="deconvnet",
        kind="reference",
    ),
    Claim(
        id="projection-gradient",
        where="Simonyan, section 4",
        statement="... of the gradient's",
        paper="–",
        metric="projection_gradient",
        part="deconvnet",
        kind="reference",
    ),
    Claim(
        id="negative",
        where="Simonyan, section 4",
        statement="The DeConvNet differs from the gradient in the ReLU alone: with signals let through where "
        "the activation was positive it is the gradient, largest relative difference",
        paper="0",
        metric="gradient_differs",
        part="deconvnet",
        kind="identity",
        holds_if="at most",
        target=1e-4,
        presets=("smoke", "notebook", "laptop", "paper"),
    ),
)
