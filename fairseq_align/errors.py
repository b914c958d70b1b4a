"""The one error that users see: what was found, what was expected, how to mend it."""

import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
LONGEST = 1000  # characters of a message; what is found may be a whole file


class InputError(ValueError):
    """Something a user gave is wrong; the message is one line that says how to mend it.

    Messages follow ``path:line: found X, expected Y; do Z``. Scripts of this package print the line and exit with
    status 1; fairseq's commands do the same through ``show_in_one_line``, so that the line does not drown in a call
    stack of the trainer. What would break the line, and the middle of what is longer than ``LONGEST``, is left out.

    Example:
        >>> InputError("a.txt:1: found a line\\nof two, expected one; mend it")
        InputError('a.txt:1: found a line of two, expected one; mend it')
    """

    def __init__(self, message: str):
        line = "".join(c if c.isprintable() else " " for c in str(message))
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}")


def reason_of(error: BaseException) -> str:
    """What an error says in one line, without the number and, once more, the path that errors of the system have.

    Example:
        >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.txt"))
        'No such file or directory'
    """
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


def status_of(work: Callable[..., int | None], *args) -> int:
    """Run ``work(*args)`` as the body of a command.

    Returns:
        exit status: what the work returned, 0 if nothing, 1 after an ``InputError``, whose message is shown, or after
        an error of the system: a full disk, a folder that may not be written to; ``INTERRUPTED`` after Ctrl-C. With
        debugging messages on, the call stack is shown, too.
    """
    try:
        return work(*args) or 0
    except InputError as error:
        logging.getLogger(__name__).debug("where", exc_info=error)
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; nothing is left half-written, the same command starts again", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {where}found {error.strerror or error}; mend it and give the same command again", file=sys.stderr
        )
    return 1


def show_in_one_line(shown: Callable, kind: type[BaseException], error: BaseException, traceback) -> None:
    """``sys.excepthook`` of fairseq's commands: of an ``InputError`` the message alone, of Ctrl-C one line.

    Other exceptions are shown as they were, and exit statuses stay: 1, after Ctrl-C 130.
    """
    if issubclass(kind, InputError):
        print(f"error: {error}", file=sys.stderr)
    elif issubclass(kind, KeyboardInterrupt):
        print("stopped by Ctrl-C, nothing is half-written; the same command begins again", file=sys.stderr)
    else:
        shown(kind, error, traceback)


def needed(module: str, extra: str = "hf") -> ModuleType:
    """Import a module of an extra.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{module}: found {error}, expected what the extra {extra} installs; run EXTRAS={extra} bash install.sh"
        ) from error
