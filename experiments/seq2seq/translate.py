"""python -m experiments.seq2seq translate RUN "two hundred and five": by a trained network."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from experiments.seq2seq.config import NETWORKS, Config
from lib.base.errors import UserError
from lib.base.files import lines_of, reading
from lib.base.words import read_options
from lib.run.config import at_least

OURS = Path(__file__).parent / "results" / "weights-search.safetensors"
"""Of the record, which translate without a run of one's own."""


@dataclasses.dataclass(frozen=True)
class Request:
    """Whose weights, and what to translate."""

    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN] SENTENCE")]
    """A finished run's folder (default: the network of our record), and a sentence."""
    file: Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")] = None
    """A sentence a line, in place of SENTENCE; without either, what a pipe brings."""
    network: str = ""
    """Which of a run's networks (default: search, or its first)."""
    beam: int = 12
    """Beginnings kept."""

    def __post_init__(self):
        at_least(self, beam=1)


class Translator(NamedTuple):
    """A trained network, with the words that it knows."""

    config: Config
    model: Any
    params: Any
    vocabularies: tuple


def main(words: list[str]) -> None:
    """Prints a translation a line. Raises UserError for what cannot be."""
    about = "Translates a sentence, the lines of a file, or those that a pipe brings."
    request = read_options(
        Request, words, prog="python -m experiments.seq2seq translate", description=about
    )
    run, sentence = OURS, request.words
    first = sentence[0] if sentence else ""
    if first.endswith(".safetensors") or (first and Path(first).is_dir()):
        run, sentence = Path(first), sentence[1:]
    lines = asked(" ".join(sentence), request.file)
    for line in translated(load(run, request.network), lines, request.beam):
        print(line)


def asked(sentence: str, file: Path | None) -> Sequence[str]:
    """The sentence, the lines of the file, or those of the standard input.

    Raises:
      UserError: there is a sentence and a file, or neither and no pipe; the file cannot be read.
    """
    if file is not None:
        if sentence:
            raise UserError("give a sentence or --file, not both", 2)
        with reading(file):
            data = file.read_bytes()
        return lines_of(data, str(file))
    if sentence:
        return [sentence]
    if sys.stdin.isatty():
        raise UserError("nothing to translate: give a sentence, --file or a pipe", 2)
    return lines_of(sys.stdin.buffer.read(), "the standard input")


def load(run: Path, network: str) -> Translator:
    """The network `network` of a run's folder, or of a file of weights.

    Raises:
      UserError: there is none, or it is another paper's, or damaged.
    """
    from lib.base.weights import load_weights

    path = run
    if run.is_dir():
        there = [n for n in NETWORKS if (run / f"weights-{n}.safetensors").exists()]
        if not there:
            raise UserError(
                f"{run} holds no trained network: none is finished (--resume goes on)", 2
            )
        if network and network not in there:
            raise UserError(f"{run} has no network {network!r}; it has {', '.join(there)}", 2)
        path = run / f"weights-{network or there[0]}.safetensors"
    elif network:
        raise UserError("--network chooses among those of a run's folder: name one", 2)
    params, about = load_weights(path)
    if about.get("paper") != "seq2seq":
        raise UserError(f"{path} holds weights of {about.get('paper')}, not of seq2seq", 2)

    from experiments.seq2seq.networks import make_model
    from lib.batches.text import Vocabulary

    with reading(path):
        fields = json.loads(about["config"])
        config = Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
        vocabularies = tuple(
            Vocabulary(tuple(json.loads(about[f"{side}_words"]))) for side in ("source", "target")
        )
        model = make_model(config, about["network"], tuple(map(len, vocabularies)))
    return Translator(config, model, params, vocabularies)


def translated(by: Translator, lines: Sequence[str], beam: int) -> list[str]:
    """A translation of each line; an empty one stays empty, and unknown words are said on stderr.

    Raises:
      UserError: a line is longer than the sentences that the network was trained on.
    """
    from experiments.seq2seq.networks import translations
    from lib.batches.text import UNKNOWN, detokenise, tokenise

    sentences = [tokenise(line) for line in lines]
    for number, words in enumerate(sentences, 1):
        codes = by.vocabularies[0].encode(words)
        unknown = [w for w, code in zip(words, codes, strict=True) if code == UNKNOWN]
        if unknown:
            print(f"line {number}: not known, read as [UNK]: {' '.join(unknown)}", file=sys.stderr)
    translated = translations(
        by.config, by.model, by.params, by.vocabularies, sentences, beam
    ).words
    return [
        detokenise(ours) if words else "" for words, ours in zip(sentences, translated, strict=True)
    ]
