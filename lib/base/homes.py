"""Where a user's files are kept, by the system's conventions."""

import os
from pathlib import Path

from lib.base.errors import UserError


def user_folder(variable: str, below_home: str) -> Path:
    """The folder that an environment variable names, by default one below the user's home.

    An empty variable counts as none.

    Raises:
      UserError: there is no home either (code 2).
    """
    if named := os.environ.get(variable):
        return Path(named).expanduser()
    try:
        return Path.home() / below_home
    except RuntimeError:
        raise UserError(f"there is no home folder here: set {variable}, or HOME", 2) from None
