"""The one error that users see: what was found, what was expected, how to mend it."""

import sys


class InputError(ValueError):
    """Something a user gave is wrong; the message is one line that says how to mend it.

    Messages follow ``path:line: found X, expected Y; do Z``. Scripts of this package print the line
    and exit with status 1; inside ``fairseq-train`` the hook below does the same, so that the line does
    not drown in a call stack of the trainer.
    """


def show_as_one_line() -> None:
    """Make Python end with the message alone when an ``InputError`` reaches the top.

    Every other exception keeps its traceback, and the exit status stays 1.
    """
    shown = sys.excepthook

    def hook(kind, error, traceback):
        if issubclass(kind, InputError):
            print(f"error: {error}", file=sys.stderr)
        else:
            shown(kind, error, traceback)

    sys.excepthook = hook
