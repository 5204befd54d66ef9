"""The command line of every paper: a run, `figures RUN`, `keep RUN...`, its own commands.

Heavy packages are imported only when a run begins, so that `--help` and mistakes answer at once.
"""

import atexit
import contextlib
import shlex
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

from lib.base.errors import UserError
from lib.base.files import disk_errors, only_writer, read_json, reading, write_json
from lib.base.signals import Stop, Stopped
from lib.base.streams import lasting, printable
from lib.run.folder import check_folder, forget
from lib.run.options import parse
from lib.run.paper import Paper, load_paper
from lib.scale.processes import PatientStop, Together, join, team_of


def main(package: str, argv: list[str] | None = None) -> None:
    """Runs the command line of `package` and exits: 0, or with a line that says why not."""
    argv = sys.argv[1:] if argv is None else argv
    name = package.split(".")[-1]
    with lasting():
        try:
            _answer(load_paper(package), argv)
        except UserError as error:
            sys.stdout.flush()
            print(printable(f"{name}: {error}"), file=sys.stderr)
            code = error.code
        except KeyboardInterrupt as error:
            stopped = error if isinstance(error, Stopped) else Stopped(signal.SIGINT)
            print(f"{name}: {stopped.said}", file=sys.stderr)
            code = stopped.code
        else:
            return
        finally:
            # While Python shuts down, another Ctrl-C would print a traceback.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _answer(paper: Paper, argv: list[str]) -> None:
    if argv and argv[0] == "figures":
        _figures(paper, argv[1:])
    elif argv and argv[0] == "keep":
        from lib.report.keeping import keep

        keep(paper, argv[1:])
    elif argv and argv[0] in paper.commands:
        paper.module(argv[0]).main(argv[1:])
    else:
        _run(paper, argv)


def _run(paper: Paper, argv: list[str]) -> None:
    started = time.monotonic()
    preset, config, options = parse(paper, argv)
    chosen = paper.chosen(config, options.only)
    numbers = list(range(options.seed, options.seed + options.seeds))
    stamp = f"{preset}-{datetime.now():%Y%m%d-%H%M%S}"
    out = options.out or Path("runs") / paper.name / stamp
    command = f"python -m {paper.package} {shlex.join(argv)}".strip()
    again = command + ("" if options.out else f" --out {shlex.quote(str(out))}")
    again += "" if options.resume else " --resume"
    identity = {"paper": paper.name, "preset": preset, "seeds": numbers}
    identity |= {"config": paper.identity(config)}
    team = team_of(options.coordinator, options.processes, options.process)
    if team is None or team.leads:
        check_folder(out, identity, resume=options.resume)

    # What can be refused is refused before the folder is made.
    from lib.run import devices, seeds
    from lib.run.recorder import Recorder

    with join(team, paper.name) if team else contextlib.nullcontext() as members:
        device = devices.choose(options.device, config.precision)
        devices.keep_compiled()
        seeds.spread_parameters(options.spread_parameters)
        which = (
            f"seed {numbers[0]}" if len(numbers) == 1 else f"seeds {numbers[0]} to {numbers[-1]}"
        )
        how = [device, config.precision]
        if paper.about is not None:
            how.append(paper.about(config, getattr(options, "weights_dir", None)))
        where = (
            f"in {out}" if team is None or team.leads else f"{team}: look where process 0 writes"
        )
        first = f"{paper.name} {preset}: {', '.join(how)}, {which}, {where}"
        print(printable(first), flush=True)
        if options.only:
            print(f"parts: {', '.join(chosen)}", flush=True)
        folders = {"data_dir": options.data_dir}
        if paper.pretrained:
            folders["weights_dir"] = options.weights_dir
        wanted = {source for name in chosen for source in paper.parts[name].data}
        data = paper.module("experiment").load_data(config, **folders, only=wanted)
        if team is not None and not team.leads:
            with PatientStop().answering(again) as stop:
                _find(paper, config, options, data, Together(members, None, stop))
            return

        deadline = {"deadline": started + 60 * options.minutes} if options.minutes else {}
        stop = PatientStop(**deadline) if team else Stop(**deadline)
        with only_writer(out), stop.answering(again):
            # Once more: another run may have begun there while the data was loaded.
            identity = check_folder(out, identity, resume=options.resume)
            bounds = {
                name: {c.id: c.bound() for c in paper.claims if c.part == name and c.bound()}
                for name in chosen
            }
            recorder = Recorder(
                out,
                identity,
                {"device": device, "command": command, "bounds": bounds},
                compiling=devices.compile_clock(),
                resume=options.resume,
                checkpoint_seconds=options.checkpoint_seconds,
                again=again,
                stop=stop,
                tensorboard=options.tensorboard,
            )
            watch = Together(members, recorder, stop) if team else recorder
            try:
                _find(paper, config, options, data, watch)
                with disk_errors(f"cannot write to {out}"):
                    write_json(out / "result.json", _record(paper, out))
                _draw(paper, out)
            except KeyboardInterrupt as error:
                stopped = error if isinstance(error, Stopped) else Stopped(signal.SIGINT)
                line = f"{stopped.said}; what was saved stays. Continue: {again}"
                raise UserError(line, stopped.code) from None
            except UserError as error:
                if error.code == 2 and not options.resume:
                    forget(out)
                raise
            finally:
                recorder.leave()

        record = read_json(out / "result.json")
        from lib.report.tables import claims_text, took

        print(claims_text(record["claims"]))
        times = (f"{part} {took(runs)}" for part, runs in record["parts"].items())
        print(printable(f"{', '.join(times)}; all in {out}"))


def _find(paper: Paper, config, options, data, watch) -> None:
    """Everything of a run that takes time; what it finds is where `watch` keeps it."""
    from lib.base.memory import out_of_memory
    from lib.run.keys import root_keys
    from lib.run.parts import run_parts

    seeds = range(options.seed, options.seed + options.seeds)
    with out_of_memory():
        run_parts(paper, config, root_keys(tuple(seeds)), data, watch, options.only)


def _record(paper: Paper, run: Path) -> dict:
    from lib.report.keeping import gather
    from lib.report.records import make_record

    return make_record(paper, *gather(paper, [run]))


def _draw(paper: Paper, run: Path) -> None:
    """Draws every figure that the parts there allow."""
    from lib.report.keeping import draw, read_results

    with disk_errors(f"cannot write to {run}"):
        (run / "figures").mkdir(exist_ok=True)
        drawn = list(draw(paper, read_results([run]), run / "figures"))
    for path in drawn:
        print(printable(f"figure: {path}"))


def _figures(paper: Paper, words: list[str]) -> None:
    if len(words) != 1 or words[0].startswith("-"):
        raise UserError(f"usage: python -m {paper.package} figures RUN", 2)
    run = Path(words[0])
    identity = read_json(run / "config.json")
    with reading(run / "config.json"):
        if identity["paper"] != paper.name:
            raise UserError(f"{run} is a run of {identity['paper']}, not of {paper.name}", 2)
    with only_writer(run):
        _draw(paper, run)
