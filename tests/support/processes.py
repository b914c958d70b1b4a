"""Child processes of the tests: each has a time limit, and ends together with all that it started."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tests.support.warm import REPO

SECONDS = 600  # most that one command may take, on a machine that has others to do as well


@contextmanager
def started(command: Sequence[object], **options) -> Iterator[subprocess.Popen]:
    """A command in a session of its own, of which nothing is left when the block ends, however it does.

    Args:
        command: words of any type, e.g. paths and numbers.
        options: of ``subprocess.Popen``.
    """
    words = [str(word) for word in command]
    options = {"cwd": REPO, "stdin": subprocess.DEVNULL, **options}
    with subprocess.Popen(words, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # all of the group have ended
                os.killpg(process.pid, signal.SIGKILL)


def run(command: Sequence[object], seconds: float = SECONDS, **options) -> subprocess.CompletedProcess:
    """Run a command and capture its output; options as those of ``started``.

    Raises:
        AssertionError: it did not end within ``seconds``; with the output so far.
    """
    pipe = subprocess.PIPE
    with started(command, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            output = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as expired:
            shown = [(part or b"").decode(errors="replace")[-4000:] for part in (expired.stdout, expired.stderr)]
            raise AssertionError(f"{process.args}: found no end within {seconds} s\n" + "\n".join(shown)) from None
    return subprocess.CompletedProcess(process.args, process.returncode, *output)


def call(function: Callable, *words: object, env: Mapping[str, str], seconds: float = SECONDS) -> str:
    """Call a function of a module in a new Python, with words as its arguments; returns what it prints.

    For what leaves threads or process groups behind: in the process of the tests they would meet other tests, and a
    destructor that waits for a thread while it holds the interpreter lock would hang them all
    (https://github.com/pytorch/pytorch/issues/56297).
    """
    name = function.__name__
    code = f"import sys; from {function.__module__} import {name}; {name}(*sys.argv[1:])"
    done = run([sys.executable, "-c", code, *words], seconds, env=env)
    assert done.returncode == 0, f"{done.args}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
