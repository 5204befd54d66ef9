"""One folder a paper; none imports another."""

import importlib.util
import sys
from pathlib import Path

_found = importlib.util.find_spec("lib")
if _found is None or Path(__file__).parent.parent / "lib" / "__init__.py" != Path(
    _found.origin or ""
):
    # The first folder of the path is the one that Python was started in.
    _where = (
        "nowhere"
        if _found is None
        else _found.origin or next(iter(_found.submodule_search_locations))
    )
    sys.exit(
        f"experiments: the package lib is another one here ({_where}): start in another folder"
    )
