"""One run a save-dir: a lock that says who writes there, and that goes with its process, however it ends."""

import atexit
import fcntl
import json
import logging
import os
import socket
import threading
import time
from pathlib import Path

from fairseq_align.errors import InputError

logger = logging.getLogger(__name__)

NAME = "run.lock"
TOUCH = 15.0  # seconds between two signs of life of a run
SILENCE = 75.0  # seconds without one after which the run of another machine is dead; NFS may show a file 60 s late

_held: dict[Path, int] = {}  # file -> its descriptor, until this process ends


def take(folder: Path) -> None:
    """Let no other run write to a folder as long as this process lives.

    The system gives the lock back when the process ends, also by SIGKILL. Machines may share a file system that does
    not lock across them: where the run of another machine has not given the lock back itself, this waits ``SILENCE``
    seconds for a sign that it lives.

    Raises:
        InputError: another run lives that writes there, or the folder may not be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / NAME
    if path in _held:
        return
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected a --save-dir that can be written to") from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alive = False
    except (BlockingIOError, PermissionError):
        alive = True
    except OSError as error:
        logger.warning("%s: found %s, expected a file system with locks; two runs could write there", path, error)
        os.close(file)
        return
    owner = _owner(file)
    if owner and not alive:
        alive = owner.get("host") != socket.gethostname() and _moves(file, owner)
    if alive:
        os.close(file)
        raise InputError(
            f"{folder}: found a run that writes there (process {owner.get('process')} on {owner.get('host')}), "
            "expected none; wait for its end, stop it, or choose another --save-dir"
        )
    if owner:
        logger.info("%s: process %s on %s is gone", path, owner.get("process"), owner.get("host"))
    os.truncate(file, 0)
    os.pwrite(file, json.dumps({"process": os.getpid(), "host": socket.gethostname()}).encode(), 0)
    _held[path] = file
    atexit.register(give_back)
    threading.Thread(target=_touch, args=(file,), daemon=True).start()


def give_back() -> None:
    """Say that the runs of this process have ended; their locks go with the process."""
    for file in _held.values():
        os.truncate(file, 0)


def _moves(file: int, owner: dict) -> bool:
    """Whether a run of another machine shows a sign of life."""
    logger.info("waiting %g s for a sign of life of process %s on %s", SILENCE, owner.get("process"), owner.get("host"))
    before, until = os.fstat(file).st_mtime_ns, time.monotonic() + SILENCE
    while time.monotonic() < until:
        time.sleep(min(1.0, SILENCE / 4))
        if os.fstat(file).st_mtime_ns != before:
            return True
    return False


def _owner(file: int) -> dict:
    try:
        found = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _touch(file: int) -> None:
    while True:
        time.sleep(TOUCH)
        os.utime(file)
