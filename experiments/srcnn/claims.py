"""What the SRCNN paper states, and the study notes' questions. Light: imports no JAX."""

from lib.run.claims import Claim

_BICUBIC = {2: 33.66, 3: 30.39, 4: 28.42}
_T91 = {2: 36.34, 3: 32.39, 4: 30.09}
_AUTHORS = (
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
_IMAGENET = {2: 36.66, 3: 32.75, 4: 30.49}
_UNITS = {"psnr": "dB", "ssim": "", "ms_ssim": "", "ifc": "bits a pixel"}

PROTOCOL = tuple(
    Claim(
        id=f"bicubic-x{scale}",
        where="Table 2",
        statement=f"The protocol is the paper's: bicubic on Set5, ×{scale}",
        paper=f"{psnr:.2f} dB",
        metric=f"bicubic_psnr_set5_x{scale}",
        holds_if="within",
        target=psnr,
        tolerance=0.01,
        unit="dB",
        dataset="set5",
    )
    for scale, psnr in _BICUBIC.items()
)

AUTHORS = tuple(
    Claim(
        id=f"authors-{name}-x{scale}-{measure}",
        where="Table 2" if name.startswith("9-5-5") else "sections 4.1, 4.3",
        statement=f"The authors' weights in our network: {name}, Set5, ×{scale}, {measure.upper()}",
        paper=f"{value:g}",
        metric=f"authors {name}_{measure}_set5_x{scale}",
        holds_if="within",
        target=value,
        tolerance=tolerance,
        unit=_UNITS[measure],
        dataset="set5",
    )
    for name, scale, measure, value, tolerance in _AUTHORS
)

TRAINED = tuple(
    Claim(
        id=f"t91-x{scale}",
        where="ECCV Table 1",
        statement=f"SRCNN trained on T91 alone, Set5, ×{scale} (paper: 9-1-5)",
        paper=f"{psnr:.2f} dB",
        metric=f"ours_psnr_set5_x{scale}",
        holds_if="at least",
        target=psnr,
        unit="dB",
        dataset="t91",
    )
    for scale, psnr in _T91.items()
)

BEST = tuple(
    Claim(
        id=f"imagenet-x{scale}",
        where="Table 2",
        statement=f"... which is how far from the paper's best, 9-5-5 trained on ImageNet, ×{scale}",
        paper=f"{psnr:.2f} dB",
        metric=f"ours_psnr_set5_x{scale}",
        holds_if="at least",
        target=psnr,
        presets=(),
        unit="dB",
        dataset="t91",
    )
    for scale, psnr in _IMAGENET.items()
)

CLAIMS = (
    *PROTOCOL,
    *AUTHORS,
    *(claim for two in zip(TRAINED, BEST, strict=True) for claim in two),
    Claim(
        id="beats-bicubic",
        where="Figure 1, here on photographs of this preset",
        statement="SRCNN beats bicubic at ×3 by far",
        paper="+2.36 dB on Set5 with ImageNet",
        metric="gain_photographs_x3",
        holds_if="at least",
        target=0.5,
        unit="dB",
        dataset="photographs",
    ),
    Claim(
        id="crosses-bicubic",
        where="Figure 1",
        statement="The learning curve crosses bicubic early: fraction of the training before it",
        paper="a few percent",
        metric="crossing",
        holds_if="at most",
        target=0.05,
        presets=("paper",),
    ),
    Claim(
        id="beats-sparse-coding",
        where="Table 2",
        statement="SRCNN beats sparse coding at ×3, learned from the same images",
        paper="+1.33 dB on Set5",
        metric="gain_over_sparse",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="filters-9-1-5",
        where="section 4.3.2",
        statement="Larger filters in the second layer help: 9-5-5 over 9-1-5",
        paper="+0.23 dB",
        metric="gain_over_9-1-5",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="filters-9-3-5",
        where="section 4.3.2",
        statement="... and 9-5-5 over 9-3-5",
        paper="+0.09 dB",
        metric="gain_over_9-3-5",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="colors-joint",
        where="Table 5",
        statement="Training on Y, Cb and Cr together is worse on Y than training on Y alone: by",
        paper="3.14 dB",
        metric="color_y_over_ycbcr",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="colors-rgb",
        where="Table 5",
        statement="Training on RGB is the best, by little: RGB's PSNR over that of Y alone",
        paper="+0.07 dB",
        metric="color_rgb_over_y",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="repeated-x8",
        where="study notes, Q&A",
        statement="Doubling again and again is fine up to ×8: gain over bicubic at once",
        paper="fine",
        metric="repeated_gain_x8",
        holds_if="at least",
        target=0,
        unit="dB",
    ),
    Claim(
        id="repeated-fades",
        where="study notes, Q&A",
        statement="... and fails from ×16: what is left there of the gain at ×2",
        paper="fails",
        metric="repeated_gain_kept",
        holds_if="at most",
        target=0.25,
        failed_because="at most 0.25: counted in dB over bicubic, there is no cliff at ×16",
    ),
    Claim(
        id="ill-posed",
        where="section 1",
        statement="Two different images have one low-resolution image: its largest difference, of 255",
        paper="0",
        metric="twins_shrunk_differ",
        holds_if="at most",
        target=0.01,
    ),
    Claim(
        id="ill-posed-differ",
        where="section 1",
        statement="... though the images differ: root mean square, of 255",
        paper="> 0",
        metric="twins_differ",
        holds_if="at least",
        target=10,
    ),
)
