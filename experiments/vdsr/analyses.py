"""Sections 3 and 5: residual or plain (Table 1), training scales (Table 2), depth (Figure 3)."""

from collections.abc import Sequence
from dataclasses import replace

import jax

from experiments.vdsr.config import SCALES, Config
from experiments.vdsr.training import Params, of_scales, train_network, upscaler
from lib.data.super_resolution import Pair, Patches
from lib.metrics.super_resolution import mean_psnr
from lib.run.loop import Trained, member
from lib.run.result import Result
from lib.run.watch import Watch

CURVE_SCALE = 2
"""Where learning curves are drawn, and Table 1 is measured."""
POINTS = 8
"""Of a learning curve: after an eighth of the training (10 of 80 epochs) is the paper's first."""
TRAINING_SCALES = ((2,), (3,), (4,), (2, 3), (2, 4), (3, 4), (2, 3, 4))
"""Table 2's columns."""

Tests = dict[int, list[Pair]]
"""Scale -> pairs."""


def residual_or_plain(
    config: Config, data: Patches, keys: jax.Array, tests: Tests, watch: Watch
) -> Result:
    """Table 1: PSNR at x2 in the course of training, of both kinds, at each learning rate."""
    setting, pairs = config.residual, tests[CURVE_SCALE]
    # What is compared is how the paper's own rule fares.
    config = replace(config, initialiser="he", optimiser="sgd", schedule="stages")
    data = of_scales(data, (CURVE_SCALE,))
    metrics, history = {}, {}
    for kind in ("residual", "plain"):
        upscale = upscaler(setting.depth, config.analysed_width, kind == "residual")
        for rate in setting.learning_rates:
            name = f"{kind}-lr{rate:g}"
            history[name] = train_network(
                name,
                config,
                data,
                keys,
                watch,
                steps=setting.steps,
                depth=setting.depth,
                width=config.analysed_width,
                residual=kind == "residual",
                first_rate=rate,
                every=setting.steps // POINTS,
                score=lambda p, f=upscale: {"psnr": mean_psnr(lambda b: f(p, b), pairs)},
            ).history
            curve = [row["psnr"] for row in history[name] if "psnr" in row]
            metrics[f"{kind}_lr{rate:g}"] = curve[-1]
            metrics[f"{kind}_lr{rate:g}_early"] = curve[0]
    for rate in setting.learning_rates:
        for when in ("", "_early"):
            both = (metrics[f"{kind}_lr{rate:g}{when}"] for kind in ("residual", "plain"))
            metrics[f"residual_over_plain_lr{rate:g}{when}"] = _difference(*both)
    highest, lowest = max(setting.learning_rates), min(setting.learning_rates)
    both = (metrics[f"residual_lr{rate:g}_early"] for rate in (highest, lowest))
    metrics["high_over_low_early"] = _difference(*both)
    return Result(metrics, history)


def scales_and_depths(
    config: Config, data: Patches, keys: jax.Array, tests: Tests, watch: Watch
) -> Result:
    """Table 2 and Figure 3, whose networks for all scales are one where depth and length agree."""
    bicubic = {scale: mean_psnr(lambda b: b, pairs) for scale, pairs in tests.items()}

    def trained(name: str, depth: int, steps: int, scales: Sequence[int]) -> tuple[dict, Trained]:
        made = train_network(
            name,
            config,
            of_scales(data, scales),
            keys,
            watch,
            steps=steps,
            depth=depth,
            width=config.analysed_width,
        )
        return _gains(
            upscaler(depth, config.analysed_width), made.state.params, tests, bicubic
        ), made

    history, by_scales, by_depth = {}, {}, {}
    setting = config.scales
    for scales in TRAINING_SCALES:
        name = f"scales-{_joined(scales)}"
        steps = setting.steps * len(scales) // len(SCALES)
        by_scales[scales], made = trained(name, setting.depth, steps, scales)
        history[name] = made.history
    for depth in config.depths.depths:
        if (depth, config.depths.steps) == (setting.depth, setting.steps):
            by_depth[depth] = by_scales[SCALES]
            continue
        name = f"depth-{depth}"
        by_depth[depth], made = trained(name, depth, config.depths.steps, SCALES)
        history[name] = made.history
    baseline = {f"bicubic_x{scale}": [psnr] for scale, psnr in bicubic.items()}
    return Result(_table_2(by_scales) | _figure_3(by_depth) | baseline, history)


def _gains(upscale, params: Params, tests: Tests, bicubic: dict[int, float]) -> dict[int, list]:
    """Scale -> what each replica gains over bicubic, in dB."""
    members = [member(params, i) for i in range(len(params["conv1"]["bias"]))]
    return {
        scale: [mean_psnr(lambda b, p=p: upscale(p, b), pairs) - bicubic[scale] for p in members]
        for scale, pairs in tests.items()
    }


def _table_2(gains: dict[tuple[int, ...], dict[int, list[float]]]) -> dict[str, list[float]]:
    metrics = {
        f"trained_{_joined(scales)}_gain_x{scale}": values
        for scales, found in gains.items()
        for scale, values in found.items()
    }
    for scale in SCALES:
        metrics[f"multi_over_single_x{scale}"] = _difference(
            gains[SCALES][scale], gains[(scale,)][scale]
        )
    return metrics


def _figure_3(gains: dict[int, dict[int, list[float]]]) -> dict[str, list[float]]:
    metrics = {
        f"depth_{depth}_gain_x{scale}": values
        for depth, found in gains.items()
        for scale, values in found.items()
    }
    shallow, deep = min(gains), max(gains)
    for scale in SCALES:
        by_depth = _difference(gains[deep][scale], gains[shallow][scale])
        metrics[f"deeper_gain_x{scale}"] = by_depth
        whole = gains[deep][scale]
        metrics[f"deeper_share_x{scale}"] = [d / w for d, w in zip(by_depth, whole, strict=True)]
    metrics["deeper_share_x4_over_x2"] = _difference(
        metrics["deeper_share_x4"], metrics["deeper_share_x2"]
    )
    return metrics


def _joined(scales: Sequence[int]) -> str:
    return "-".join(map(str, scales))


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(ours, theirs, strict=True)]
