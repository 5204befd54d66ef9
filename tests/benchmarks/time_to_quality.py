"""python -m tests.benchmarks.time_to_quality FOLDER: PSNR against seconds, ours and plain PyTorch.

SRCNN 9-5-5 at x3 on T91, scored on Set5 (both below FOLDER, as for --data-dir), one after the other
on the same cores; compiling and scoring count. The peer is what one finds when one looks for SRCNN in
PyTorch: zero padding, Adam with 1e-4 (1e-5 in the last layer), batches of 16. Keeps the curves, their
figure and the table in the paper's README.
"""

import os
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from experiments.srcnn.config import PRESETS
from experiments.srcnn.experiment import load_data, train_scale
from lib.base.files import write_json
from lib.batches.super_resolution import pair, patches, take
from lib.metrics.super_resolution import mean_psnr
from lib.plots.style import DISCRIMINATOR, GUIDE, MODEL, save, subplots
from lib.report.tables import write_readmes
from lib.run.keys import root_keys
from lib.run.paper import load_paper
from lib.run.watch import Watch

SCALE, LEVELS = 3, (31.5, 32.0, 32.3, 32.5)
STEPS = 4_000
PEER_SECONDS = 240


class Stopwatch(Watch):
    """Keeps (seconds, PSNR) of every scored chunk."""

    def __init__(self):
        self.started = time.monotonic()
        self.curve: list[tuple[float, float]] = []

    def chunk(self, training, step, state, row, *, last):
        if "psnr" in row:
            self.curve.append((time.monotonic() - self.started, row["psnr"][0]))


def ours(config, data) -> list[tuple[float, float]]:
    """`[(seconds, dB)]` of our training."""
    stopwatch = Stopwatch()
    train_scale(config, SCALE, root_keys((0,)), data, stopwatch)
    return stopwatch.curve


def peer(config, data) -> list[tuple[float, float]]:
    """`[(seconds, dB)]` of plain PyTorch, until `PEER_SECONDS` are over."""
    import torch

    torch.manual_seed(0)
    began, curve = time.monotonic(), []
    pairs = [pair(image, SCALE) for image in data.train]
    cut = patches(pairs, size=config.patch, stride=config.stride)
    tensors = [
        [torch.from_numpy(np.array(x)).moveaxis(3, 1) for x in take(cut, indices, config.patch)]
        for indices in np.array_split(np.arange(len(cut.corners)), 10)
    ]
    bicubic, truth = (torch.cat(parts) for parts in zip(*tensors, strict=True))
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 64, 9, padding=4),
        torch.nn.ReLU(),
        torch.nn.Conv2d(64, 32, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 1, 5, padding=2),
    )
    last = list(net[4].parameters())
    optimiser = torch.optim.Adam(
        [{"params": net[:4].parameters()}, {"params": last, "lr": 1e-5}], lr=1e-4
    )
    tests = [pair(image, SCALE) for image in data.test["set5"].values()]

    @torch.no_grad()
    def upscale(image):
        return net(torch.from_numpy(image)[None].moveaxis(3, 1))[0].moveaxis(0, 2).numpy()

    step = 0
    while time.monotonic() - began < PEER_SECONDS:
        for batch in torch.randperm(len(bicubic)).split(16):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(net(bicubic[batch]), truth[batch]).backward()
            optimiser.step()
            step += 1
            if step % 400 == 0:
                curve.append((time.monotonic() - began, mean_psnr(upscale, tests)))
                if curve[-1][0] > PEER_SECONDS:
                    break
    return curve


def passes(curve: list[tuple[float, float]], level: float) -> float | None:
    """The seconds after which `curve` is above `level` for the first time."""
    return next((seconds for seconds, psnr in curve if psnr >= level), None)


def draw(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """PSNR against minutes."""
    figure, axis = subplots(width=7, height=3.2)
    for (name, curve), color in zip(curves.items(), (MODEL, DISCRIMINATOR), strict=True):
        seconds, psnr = np.array(curve).T
        axis.plot(seconds / 60, psnr, color=color, label=name)
    axis.axhline(LEVELS[-1], color=GUIDE, ls=":", label=f"{LEVELS[-1]} dB")
    axis.set(xlabel="minutes", ylabel="PSNR on Set5 ×3, dB", ylim=(30.4, 32.8), xlim=(0, None))
    axis.legend(loc="lower right")
    save(figure, path)


def main(folder: str) -> None:
    config = replace(
        PRESETS["laptop"],
        train=("t91",),
        test=("set5",),
        steps=STEPS,
        every=PRESETS["laptop"].chunk,
    )
    data = load_data(config, Path(folder))
    curves = {"ours": ours(config, data), "PyTorch": peer(config, data)}
    results = load_paper("experiments.srcnn").results
    record = {
        "what": f"dB on Set5, ×{SCALE}",
        "levels": list(LEVELS),
        "seconds": {name: [passes(c, level) for level in LEVELS] for name, c in curves.items()},
        "curves": {
            name: [[round(s, 1), round(psnr, 3)] for s, psnr in c] for name, c in curves.items()
        },
        "data": data.about["train"] + data.about["test"],
        "device": f"cpu ({os.cpu_count()} cores)",
        "versions": f"Python {platform.python_version()}, jax {version('jax')}, torch {version('torch')}",
        "command": "python -m tests.benchmarks.time_to_quality FOLDER",
    }
    results.mkdir(exist_ok=True)
    write_json(results / "time_to_quality.json", record)
    draw(curves, results / "time_to_quality.png")
    write_readmes()


if __name__ == "__main__":
    main(*sys.argv[1:])
