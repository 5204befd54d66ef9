"""The command line of every paper: presets and fields, `figures RUN`, `keep RUN`, its own commands.

Heavy packages are imported only when a run begins, so that `--help` and mistakes answer at once.
"""

import contextlib
import dataclasses
import importlib.util
import io
import math
import os
import re
import shlex
import shutil
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lib.errors import UserError
from lib.run.files import disk_errors, flat, only_writer, read_json, reading, write_json
from lib.run.paper import PRESETS, Paper, load_paper

USAGE = """{title}
  python -m {package} [smoke|laptop|paper] [options]
      run a preset (laptop if none is named)
  python -m {package} figures RUN
      draw the figures of a finished run again
  python -m {package} keep RUN [VARIANT]
      copy a run's record and figures to the paper, to be committed
{commands}
Any field can be overridden; the values below are those of `{preset}`.
"""

Folder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")]

# How tyro words what it finds wrong with a nested field's value.
NESTED = re.compile(r"Error parsing config\.([\w.-]+): --")


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run, as opposed to what (the preset's fields)."""

    seed: int = 0
    """The first seed."""
    seeds: int = 1
    """How many seeds, from the first on; results are mean ± std over them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN", help_behavior_hint="")] = None
    """The run's folder (default: runs/<paper>/<preset>-<time>)."""
    resume: bool = False
    """Continue the run in --out, bit for bit."""
    data_dir: Folder = None
    """A folder with the dataset's files, for a machine that cannot fetch them."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files, for a machine that cannot fetch them."""
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    """Where to compute; anything but auto fails when it is not there."""
    checkpoint_seconds: float = 30.0
    """At least this long between two checkpoints of one training."""
    tensorboard: bool = False
    """Also write metrics for TensorBoard (needs tensorboardX)."""

    def __post_init__(self):
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"--seed must be in [0, 2^31), not {self.seed}")
        if self.seeds < 1:
            raise ValueError(f"--seeds must be at least 1, not {self.seeds}")
        if not self.checkpoint_seconds >= 0:
            raise ValueError("--checkpoint-seconds must be at least 0")
        if self.resume and self.out is None:
            raise ValueError("--resume needs --out, the folder of the run to continue")
        if self.tensorboard and importlib.util.find_spec("tensorboardX") is None:
            raise ValueError("--tensorboard needs one more package: pip install tensorboardX")


def main(package: str, argv: list[str] | None = None) -> None:
    """Runs the command line of `package` and exits: 0, or with a line that says why not."""
    argv = sys.argv[1:] if argv is None else argv
    name = package.split(".")[-1]
    try:
        paper = load_paper(package)
        if argv and argv[0] == "figures":
            _figures(paper, argv[1:])
        elif argv and argv[0] == "keep":
            _keep(paper, argv[1:])
        elif argv and argv[0] in paper.commands:
            paper.module(argv[0]).main(argv[1:])
        else:
            _run(paper, argv)
    except UserError as error:
        sys.stdout.flush()
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(error.code)
    except BrokenPipeError:  # whoever read what is printed has left: `... --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)


def parse(paper: Paper, argv: list[str]) -> tuple[str, Any, Options]:
    """`(preset, config, options)`. Raises UserError (code 2) for what cannot be."""
    preset, rest = "laptop", list(argv)
    if rest and not rest[0].startswith("-"):
        preset = rest.pop(0)
    if preset not in PRESETS:
        known = f"{', '.join(PRESETS)}, and the commands {', '.join(('figures', 'keep', *paper.commands))}"
        raise UserError(f"unknown preset {preset!r}; there are {known}", 2)
    if any(word.split("=")[0] == "--preset" for word in rest):
        raise UserError(f"name the preset first: python -m {paper.package} laptop [options]", 2)
    config = paper.presets[preset]
    kind = type(config)

    @dataclasses.dataclass(frozen=True)
    class Arguments:
        options: Annotated[Options, tyro.conf.arg(name="")]
        config: Annotated[kind, tyro.conf.arg(name="")]

    commands = "".join(f"  python -m {paper.package} {c}\n" for c in paper.commands.values())
    given = read_options(
        Arguments,
        rest,
        default=Arguments(Options(), config),
        prog=f"python -m {paper.package} {preset}",
        description=USAGE.format(
            title=paper.title, package=paper.package, preset=preset, commands=commands
        ),
    )
    for name, value in flat(dataclasses.asdict(given.config)).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"--{name.replace('_', '-')} must be a finite number, not {value}", 2)
    if given.options.weights_dir is not None and not paper.pretrained:
        raise UserError("--weights-dir: this paper has no pretrained networks", 2)
    return preset, given.config, given.options


def read_options(kind: type, words: list[str], **about: Any) -> Any:
    """The dataclass `kind` as `words` of a command line fill it in.

    Args:
      about: tyro's `prog`, `description` and perhaps `default`.

    Raises:
      UserError: they cannot (code 2).
      SystemExit: they ask for help, which is printed.
    """
    about["config"] = [tyro.conf.FlagCreatePairsOff]
    if "--help" in words or "-h" in words:
        tyro.cli(kind, args=["--help"], **about)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(kind, args=words, **about)
    except SystemExit:
        raise UserError(NESTED.sub(r"--\1.", _one_line(said.getvalue())), 2) from None
    except ValueError as error:
        raise UserError(str(error), 2) from None


def _one_line(box: str) -> str:
    """The first paragraph of tyro's boxed message, and its guess at what was meant."""
    paragraphs, current = [], []
    for line in box.splitlines()[1:]:
        words = line.strip().strip("│╭╮╰╯").strip()
        if set(words) <= set("-─"):
            if current:
                paragraphs.append(current)
            current = []
        else:
            current.append(words)
    message = " ".join(paragraphs[0]) if paragraphs else "cannot read the options"
    guess = next((p[1] for p in paragraphs if p[0].startswith("Perhaps")), "")
    return message + (f"; perhaps you meant {guess}" if guess else "") + " (see --help)"


def _run(paper: Paper, argv: list[str]) -> None:
    preset, config, options = parse(paper, argv)
    from lib.run import devices
    from lib.run.recorder import INTERRUPTED, Recorder, answer_interrupts, check_folder

    seeds = tuple(range(options.seed, options.seed + options.seeds))
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    out = options.out or Path("runs") / paper.name / f"{preset}-{stamp}"
    command = f"python -m {paper.package} {shlex.join(argv)}".strip()
    again = command + ("" if options.out else f" --out {out}")
    again += "" if options.resume else " --resume"
    identity = {"paper": paper.name, "preset": preset, "seeds": list(seeds)}
    identity["config"] = dataclasses.asdict(config)

    # What can be refused is refused before the folder is made.
    check_folder(out, identity, resume=options.resume)
    device = devices.choose(options.device)
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    devices.keep_compiled(cache / "deep-morning")
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    how = [device, config.precision]
    if paper.about is not None:
        how.append(paper.about(config, options.weights_dir))
    print(f"{paper.name} {preset}: {', '.join(how)}, {which}, in {out}", flush=True)
    folders = (options.data_dir, options.weights_dir) if paper.pretrained else (options.data_dir,)
    data = paper.module("experiment").load_data(config, *folders)

    with only_writer(out), answer_interrupts(again):
        # Once more: another run may have begun there while the data was loaded.
        identity = check_folder(out, identity, resume=options.resume)
        recorder = Recorder(
            out,
            identity,
            resume=options.resume,
            checkpoint_seconds=options.checkpoint_seconds,
            again=again,
            tensorboard=options.tensorboard,
        )
        about = {"preset": preset, "config": config, "seeds": seeds}
        about |= {"device": device, "command": command}
        try:
            _compute(paper, out, data, recorder, about)
            _draw(paper, out)
        except KeyboardInterrupt:
            line = f"interrupted; what was saved stays. Continue: {again}"
            raise UserError(line, INTERRUPTED) from None
        finally:
            recorder.close()

    from lib.run.tables import claims_text

    made = read_json(out / "result.json")
    rows = [row for row in made["claims"] if row["why"] != "not run"]
    print(claims_text(rows))
    if len(rows) < len(made["claims"]):
        print(f"({len(made['claims']) - len(rows)} claims are about what this run did not run)")
    compiling, running = made["seconds"]["compile"], made["seconds"]["run"]
    print(f"{compiling:.0f} s compiling, {running:.0f} s running; all in {out}")


def _compute(paper: Paper, out: Path, data, recorder, about: dict) -> None:
    from lib.run.devices import compile_clock
    from lib.run.keys import root_keys
    from lib.run.result import record, save_arrays
    from lib.run.weights import save_weights

    started, compiling = time.monotonic(), compile_clock()
    keys = root_keys(about["seeds"])
    result = paper.module("experiment").run(about["config"], keys, data, recorder)
    spent = time.monotonic() - started
    seconds = {"compile": compiling(), "run": spent - compiling()}
    made = record(result, paper=paper.name, claims=paper.claims, seconds=seconds, **about)
    if recorder.resumed:
        made["resumed"] = True  # then `seconds` covers the last part only
    with disk_errors(f"cannot write to {out}"):
        save_arrays(out / "arrays.npz", result.arrays)
        for name, (params, words) in result.weights.items():
            words = {**words, "command": about["command"]}
            save_weights(out / f"weights-{name}.safetensors", params, words)
        write_json(out / "result.json", made)


def _draw(paper: Paper, run: Path) -> None:
    """Draws every figure of the paper; one that returns None has nothing to show in this run."""
    import matplotlib

    matplotlib.use("Agg")
    from lib.plots.style import save
    from lib.run.result import load_result

    result = load_result(run)
    with disk_errors(f"cannot write to {run}"):
        (run / "figures").mkdir(exist_ok=True)
        for name, figure in paper.module("figures").FIGURES.items():
            path = run / "figures" / f"{name}.png"
            drawn = figure(result)
            if drawn is not None:
                save(drawn, path)
                print(f"figure: {path}")


def _one_run(paper: Paper, run: Path) -> dict:
    """The record of a finished run of this paper."""
    made = read_json(run / "result.json")
    with reading(run / "result.json"):
        if made["paper"] != paper.name:
            raise UserError(f"{run} is a run of {made['paper']}, not of {paper.name}", 2)
    return made


def _figures(paper: Paper, words: list[str]) -> None:
    if len(words) != 1 or words[0].startswith("-"):
        raise UserError(f"usage: python -m {paper.package} figures RUN", 2)
    run = Path(words[0])
    _one_run(paper, run)
    with only_writer(run):
        _draw(paper, run)


def _keep(paper: Paper, words: list[str]) -> None:
    from lib.run.claims import judge
    from lib.run.tables import write_readmes

    if len(words) not in (1, 2) or any(word.startswith("-") or not word for word in words):
        raise UserError(f"usage: python -m {paper.package} keep RUN [VARIANT]", 2)
    run = Path(words[0])
    made = _one_run(paper, run)
    with reading(run / "result.json"):
        made["claims"] = judge(paper.claims, made["metrics"], made["preset"], made["data"])
        name = "-".join([made["preset"], *words[1:2]])
    with disk_errors(f"cannot write to {paper.results}"):
        paper.results.mkdir(exist_ok=True)
        write_json(paper.results / f"{name}.json", made)
        for figure in sorted((run / "figures").glob("*.png")):
            shutil.copyfile(figure, paper.results / f"{name}-{figure.name}")
    write_readmes(paper.package.rsplit(".", 1)[0])
    print(f"kept as {paper.results / name}.json; READMEs rendered")
