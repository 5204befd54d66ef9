"""The one exception that a command line turns into one line of text."""

from contextlib import contextmanager


class UserError(Exception):
    """Something the person at the keyboard can mend: a bad value, a missing file, a full disk.

    The command line prints the message, without a traceback, and leaves with `code`
    (2 for a request that cannot be met as asked, 1 for one that failed on the way).
    """

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


@contextmanager
def option(name: str):
    """A UserError in here is about the option `name`, and begins with it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}", error.code) from None
