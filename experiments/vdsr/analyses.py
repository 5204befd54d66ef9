"""Sections 3 and 5: residual or plain (Table 1), training scales (Table 2), depth (Figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import jax

from experiments.vdsr.config import SCALES, Config
from experiments.vdsr.images import Data, first_test_pairs, training_patches
from experiments.vdsr.training import of_scales, replicas, train_network, upscaler
from lib.metrics.super_resolution import mean_psnr
from lib.run.loop import Trained
from lib.run.result import Result
from lib.run.watch import Watch

CURVE_SCALE = 2
"""Where learning curves are drawn, and Table 1 is measured."""
POINTS = 8
"""Of a learning curve: after an eighth of the training (10 of 80 epochs) is the paper's first."""
TRAINING_SCALES = ((2,), (3,), (4,), (2, 3), (2, 4), (3, 4), (2, 3, 4))
"""Table 2's columns."""
KINDS = {"residual": True, "plain": False}
"""Table 1's: does the network add to its input?"""

Gains = dict[int, list[float]]
"""Scale -> what each replica gains over bicubic, in dB."""


def table_1(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Table 1: PSNR at x2 in the course of training, of both kinds, at each learning rate."""
    setting, pairs = config.residual, first_test_pairs(data)[CURVE_SCALE]
    bicubic = needs["references"].metrics[f"bicubic_x{CURVE_SCALE}"]
    patches = of_scales(training_patches(config, data, "analysed"), (CURVE_SCALE,))
    # What is compared is how the paper's own rule fares.
    config = replace(config, initialiser="he", optimiser="sgd", schedule="stages")
    metrics, history = {}, {}
    for kind, residual in KINDS.items():
        upscale = upscaler(setting.depth, config.analysed_width, residual)
        for rate in setting.learning_rates:
            name = f"{kind}-lr{rate:g}"
            history[name] = train_network(
                name,
                config,
                patches,
                keys,
                watch,
                steps=setting.steps,
                depth=setting.depth,
                width=config.analysed_width,
                residual=residual,
                first_rate=rate,
                every=setting.steps // POINTS,
                score=lambda p, f=upscale: {"psnr": mean_psnr(lambda b: f(p, b), pairs)},
            ).history
            curve = [row["psnr"] for row in history[name] if "psnr" in row]
            metrics[f"{kind}_lr{rate:g}"] = curve[-1]
            metrics[f"{kind}_lr{rate:g}_early"] = curve[0]
            metrics[f"{kind}_gain_lr{rate:g}"] = [psnr - bicubic for psnr in curve[-1]]
    for rate in setting.learning_rates:
        for when in ("", "_early"):
            both = (metrics[f"{kind}_lr{rate:g}{when}"] for kind in KINDS)
            metrics[f"residual_over_plain_lr{rate:g}{when}"] = _difference(*both)
    highest, lowest = max(setting.learning_rates), min(setting.learning_rates)
    both = (metrics[f"residual_lr{rate:g}_early"] for rate in (highest, lowest))
    metrics["high_over_low_early"] = _difference(*both)
    return Result(metrics, history)


def table_2(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Table 2: a network for each set of training scales, equally many epochs each."""
    gains, history, setting = {}, {}, config.scales
    for scales in TRAINING_SCALES:
        name, steps = _name(scales), setting.steps * len(scales) // len(SCALES)
        trained = _train(name, config, keys, data, watch, setting.depth, steps, scales)
        history[name] = trained.history
        gains[scales] = _gains(config, data, needs["references"], setting.depth, trained)
    metrics = {
        f"trained_{_joined(scales)}_gain_x{scale}": values
        for scales, by_scale in gains.items()
        for scale, values in by_scale.items()
    }
    for scale in SCALES:
        multi, single = gains[SCALES][scale], gains[(scale,)][scale]
        metrics[f"multi_over_single_x{scale}"] = _difference(multi, single)
    return Result(metrics, history)


def figure_3(
    config: Config, keys: jax.Array, data: Data, watch: Watch, needs: Mapping[str, Result]
) -> Result:
    """Figure 3: networks of different depths for all scales.

    The one that Table 2 has too, of the same depth and length, is trained under the same name: in a folder
    where Table 2 is finished its checkpoint is used, elsewhere the same numbers come out.
    """
    gains, history, setting = {}, {}, config.depths
    for depth in setting.depths:
        shared = (depth, setting.steps) == (config.scales.depth, config.scales.steps)
        name = _name(SCALES) if shared else f"depth-{depth}"
        trained = _train(name, config, keys, data, watch, depth, setting.steps, SCALES)
        history[f"depth-{depth}"] = trained.history
        gains[depth] = _gains(config, data, needs["references"], depth, trained)
    metrics = {
        f"depth_{depth}_gain_x{scale}": values
        for depth, by_scale in gains.items()
        for scale, values in by_scale.items()
    }
    shallow, deep = gains[min(gains)], gains[max(gains)]
    for scale in SCALES:
        more = _difference(deep[scale], shallow[scale])
        metrics[f"shallowest_gain_x{scale}"] = shallow[scale]
        metrics[f"deeper_gain_x{scale}"] = more
        metrics[f"deeper_share_x{scale}"] = [m / d for m, d in zip(more, deep[scale], strict=True)]
    metrics["deeper_share_x4_over_x2"] = _difference(
        metrics["deeper_share_x4"], metrics["deeper_share_x2"]
    )
    return Result(metrics, history)


def _train(
    name: str,
    config: Config,
    keys: jax.Array,
    data: Data,
    watch: Watch,
    depth: int,
    steps: int,
    scales: Sequence[int],
) -> Trained:
    patches = of_scales(training_patches(config, data, "analysed"), scales)
    width = config.analysed_width
    return train_network(name, config, patches, keys, watch, steps=steps, depth=depth, width=width)


def _gains(config: Config, data: Data, references: Result, depth: int, trained: Trained) -> Gains:
    upscale = upscaler(depth, config.analysed_width)
    members = replicas(trained.state.params)
    return {
        scale: [
            mean_psnr(lambda b, p=p: upscale(p, b), pairs) - references.metrics[f"bicubic_x{scale}"]
            for p in members
        ]
        for scale, pairs in first_test_pairs(data).items()
    }


def _name(scales: Sequence[int]) -> str:
    return f"scales-{_joined(scales)}"


def _joined(scales: Sequence[int]) -> str:
    return "-".join(map(str, scales))


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(ours, theirs, strict=True)]
