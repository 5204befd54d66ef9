"""Where in a person's folder a dataset is: by the names that people and tools give its files."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# Inside of a super-resolution set's folder, where the truth may be, the likeliest first.
_TRUTH = (r"hr", r"original", r"images?", r"gt", r"gtmod\d+", r"image_srf_\d+")


def below(folder: Path, levels: int = 2) -> Iterator[Path]:
    """`folder`, and what is in it, so many levels deep."""
    yield folder
    if levels and folder.is_dir():
        try:
            inside = sorted(folder.iterdir())
        except OSError:  # a folder that we may not list is none of ours
            return
        for place in inside:
            yield from below(place, levels - 1)


def places_called(
    names: Iterable[str], folder: Path, alike: Callable[[str], str] = str.lower
) -> Iterator[Path]:
    """Folders and zips called one of `names`, to which `alike` is blind: `folder`, and two levels below."""
    places = list(below(folder))
    for name in names:
        first, *rest = alike(name).split("/")
        for place in places:
            inside = place.joinpath(*rest)
            if alike(place.name) == first and inside.is_dir():
                yield inside
            elif place.name.lower() == f"{name}.zip".lower() and place.is_file():
                yield place


def with_truth(place: Path) -> Iterator[Path]:
    """`place`, then the folders in it that hold a super-resolution set's truth: HR, original, ..."""
    yield place
    inside = [path for path in sorted(place.iterdir()) if path.is_dir()] if place.is_dir() else []
    for pattern in _TRUTH:
        yield from (path for path in inside if re.fullmatch(pattern, path.name.lower()))


def file_called(name: str, folder: Path) -> Path | None:
    """The file in `folder` with that name, in any case: "." for "-" (Kaggle), ".gz" behind it, or in a
    folder called the same."""
    wanted = plain(name)
    for path in [path for path in below(folder, 1) if path != folder]:
        if plain(path.name.removesuffix(".gz")) == wanted:
            candidates = [path, path / name, path / path.name]
            if file := next((c for c in candidates if c.is_file()), None):
                return file
    return None


def plain(name: str) -> str:
    """Letters and digits alone: "FashionMNIST" and "fashion_mnist" are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def close_to(names: Iterable[str], folder: Path) -> list[str]:
    """What `folder` holds, two levels deep, that is called almost like one of `names`."""
    wanted = {plain(name) for name in names}
    close = []
    for path in below(folder):
        name = plain(path.name.split(".")[0])
        alike = any(name.startswith(w) or w.startswith(name) for w in wanted if len(name) > 2)
        if path != folder and (alike or difflib.get_close_matches(name, wanted, 1, 0.8)):
            close.append(str(path.relative_to(folder)))
    return close[:3]
