"""`python -m lib.pretrained` lists the networks; with a network's name it loads and checks that one."""

import dataclasses
import sys
from typing import Annotated

import tyro

from lib.base.errors import UserError
from lib.base.files import flat
from lib.base.words import Folder, read_options
from lib.pretrained import finding, networks, recognition
from lib.pretrained.networks import Network


@dataclasses.dataclass(frozen=True)
class Request:
    """Loads a pretrained network, and looks whether it knows photographs that we know."""

    network: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Its name; without any, all there are are listed."""
    weights_dir: Folder = None
    """A folder with pretrained networks' files."""


def main(words: list[str]) -> None:
    """Lists the networks; or loads the one that is named, says what it is, and checks it.

    Raises:
      UserError: it cannot be loaded, or does not recognise a photograph that it should.
    """
    if not words:
        print("\n\n".join(_listed(network) for network in networks.NETWORKS.values()))
        return
    request = read_options(
        Request, words, prog="python -m lib.pretrained", description=Request.__doc__
    )
    pretrained = finding.load(request.network, request.weights_dir)
    network, file = pretrained.network, pretrained.file
    count = sum(array.size for array in flat(pretrained.params).values())
    print(f"{network.name}: {network.title}")
    print(f"licence: {network.licence}")
    print(
        f"file: {file.name}, from {pretrained.place}" + (f" ({file.notes})" if file.notes else "")
    )
    print(f"sha256: {file.sha256}")
    print(f"parameters: {count:,}", flush=True)
    rows = recognition.check(pretrained)
    if not rows:
        print("no classifier, so nothing to check it by")
    for row in rows:
        wanted = " or ".join(f"{name} ({number})" for number, name in row.shown.items())
        guesses = ", ".join(f"{number} {share:.0%}" for number, share in row.guesses)
        print(f"{row.photograph}: {wanted}? The likeliest classes: {guesses}")
    if wrong := [row.photograph for row in rows if not row.holds]:
        raise UserError(f"{network.name} does not recognise {', '.join(wrong)}")


def _listed(network: Network) -> str:
    lines = [f"{network.name}: {network.title}", f"  licence: {network.licence}"]
    for file in network.files:
        sources = [str(source) for source in (file.address, file.package) if source]
        lines.append(
            f"  {file.name} ({file.megabytes} MB{f'; {file.notes}' if file.notes else ''})"
        )
        lines.append(f"    from {' or '.join(sources)}" if sources else "    put by hand")
        lines.append(f"    sha256 {file.sha256}")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.stdout.flush()
        print(f"pretrained: {error}", file=sys.stderr)
        sys.exit(error.code)
