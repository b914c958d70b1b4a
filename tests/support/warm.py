"""Commands that start warm: a server imports fairseq once and is forked for every command of the tests.

A process that imports torch and fairseq costs four seconds of processor time before it does anything, and the tests
start hundreds. Here each command is a small client in a folder that stands first in ``PATH``. It hands its arguments,
environment, folder and standard streams to a fork of the server, which runs the same script as a fresh interpreter
would, and ends with its status. What a fork could not do alike starts cold: Python with flags, and with other
``PYTHON...`` or ``OMP_...`` variables than the server's. ``cold`` commands are those of the environment;
``test_cold.py`` trains with them.

Usage: warm.py SOCKET
"""

import atexit
import functools
import gc
import logging
import os
import random
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

REPO = Path(__file__).resolve().parents[2]
SECONDS = 240  # most that the server may take to import fairseq
SETTINGS = ("PYTHON", "OMP_")  # variables that are read when an interpreter starts or torch is imported
MODULES = {  # of console scripts
    "fairseq-align": "fairseq_align.cli",
    "fairseq-train": "fairseq_cli.train",
    "fairseq-hydra-train": "fairseq_cli.hydra_train",
    "fairseq-preprocess": "fairseq_cli.preprocess",
    "fairseq-validate": "fairseq_cli.validate",
}
CLIENT = """#!{python} -IS
import os, signal, socket, sys
words = {words} + sys.argv[1:]
settings = {{name: value for name, value in os.environ.items() if name.startswith({prefixes})}}
if settings != {settings} or not words or (words[0].startswith("-") and " ".join(words[:2]) not in {modules}):
    os.execv({python!r}, [{python!r}, *words])
variables = [f"{{name}}={{value}}" for name, value in os.environ.items()]
message = os.fsencode("\\0".join([os.getcwd(), str(len(words)), *words, *variables]))
server = socket.socket(socket.AF_UNIX)
server.connect({socket!r})
socket.send_fds(server, [b"%16d" % len(message)], [0, 1, 2])
server.sendall(message)
status = int(server.recv(16) or 1)
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


def script(name: str) -> list[str]:
    """Words behind ``python`` that run a console script: the one beside this Python, or else its module.

    The clone's own has no script where the package is not installed; packages in a folder of ``PYTHONPATH`` have none.
    """
    path = Path(sys.executable).parent / name
    return [str(path)] if path.exists() and name != "fairseq-align" else ["-m", MODULES[name]]


def write_clients(folder: Path, address: Path, environment: dict[str, str]) -> None:
    """Write a client for each command: ``python``, ``fairseq-align`` and fairseq's.

    Args:
        address: socket of the server.
        environment: of the server.
    """
    settings = {name: value for name, value in environment.items() if name.startswith(SETTINGS)}
    benchmarks = [f"benchmarks.{path.stem}" for path in (REPO / "benchmarks").glob("*.py")]
    stress = [f"tests.stress.{path.stem}" for path in (REPO / "tests" / "stress").glob("*.py")]
    modules = [f"-m {name}" for name in [*MODULES.values(), *benchmarks, *stress, "pytest"]]
    for name, words in {"python": [], **{name: script(name) for name in MODULES}}.items():
        client = CLIENT.format(
            python=sys.executable,
            words=words,
            modules=modules,
            prefixes=SETTINGS,
            settings=settings,
            socket=str(address),
        )
        write_command(folder / name, client)


def write_command(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o755)


@functools.cache
def new_folder() -> Path:
    """A folder for commands, which goes when the tests end."""
    folder = Path(tempfile.mkdtemp(prefix="fairseq_align_"))
    atexit.register(shutil.rmtree, folder)
    for kind in ("cold", "warm"):
        (folder / kind).mkdir()
    return folder


@functools.cache
def cold() -> dict[str, str]:
    """Variables with which commands find this Python, its scripts and the package of the clone; one thread each."""
    folder = new_folder() / "cold"
    for name in MODULES:
        words = shlex.join([sys.executable, *script(name)])
        write_command(folder / name, f'#!/bin/sh\nexec {words} "$@"\n')
    path = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    python_path = [str(REPO), *filter(None, [os.environ.get("PYTHONPATH")])]  # packages may be there alone
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(python_path),
        "PATH": os.pathsep.join(path),
    }


@functools.cache
def environment() -> dict[str, str]:
    """The variables of ``cold``, with commands that start warm."""
    folder, variables = new_folder(), cold()
    command = [sys.executable, __file__, str(folder / "server")]
    server = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ready, _, _ = select.select([server.stdout], [], [], SECONDS)
    said = os.read(server.stdout.fileno(), 16) if ready else f"nothing within {SECONDS} s"
    if said != b"ready\n":
        server.kill()
        raise RuntimeError(
            f"tests/support/warm.py: found {said!r} of the server, expected 'ready'; see its message above"
        )
    write_clients(folder / "warm", folder / "server", variables)
    return {**variables, "PATH": os.pathsep.join([str(folder / "warm"), variables["PATH"]])}


def serve(address: str) -> None:
    import fairseq  # noqa: F401
    import numpy as np
    import sacremoses  # noqa: F401
    import scipy.stats  # noqa: F401   reports would
    import torch._dynamo  # noqa: F401   the first optimizer of a process would

    with suppress(ImportError):  # an extra
        import matplotlib.backends.backend_agg  # noqa: F401   reports would

    sys.executable = str(Path(address).parent / "warm" / "python")  # what a command starts by it starts warm, too
    gc.collect()
    gc.freeze()  # else the collector of every fork writes to, and so copies, all pages
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    os.write(1, b"ready\n")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a watcher
    while listener in select.select([listener, sys.stdin], [], [])[0]:  # standard input ends with the tests
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listener.close()
        length, streams, _, _ = socket.recv_fds(connection, 16, 3)
        with connection.makefile("rb") as file:
            message = os.fsdecode(file.read(int(length))).split("\0")
        child = os.fork()
        if child:
            os.setpgid(child, child)  # here too: its client may be gone before it has run
            watch(connection, child)
        connection.close()
        random.seed()  # a fork has the server's states
        np.random.seed()
        run(streams, *message)


def watch(connection: socket.socket, child: int) -> None:
    """Wait for a command and report its status; kill it and what it started when its client is gone."""
    poll = select.poll()
    pidfd = os.pidfd_open(child)
    poll.register(pidfd, select.POLLIN)
    poll.register(connection, select.POLLHUP)
    if all(ready != pidfd for ready, _ in poll.poll()):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    try:
        connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    except BrokenPipeError:
        print(f"warm.py: the client of {child} is gone", file=sys.stderr)
    os._exit(0)


def run(streams: list[int], folder: str, count: str, *words_and_variables: str) -> NoReturn:
    """Become the command."""
    os.setpgid(0, 0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    words, variables = words_and_variables[: int(count)], words_and_variables[int(count) :]
    os.environ.clear()
    os.environ.update(variable.split("=", 1) for variable in variables)
    command = words[1] if words[0] == "-m" else Path(words[0]).name
    if command.startswith(("fairseq_cli.", "fairseq-")):  # they set up logging before fairseq does
        logging.root.handlers.clear()
    if words[0] == "-m":
        sys.argv, sys.path[0] = list(words[1:]), folder
        end(functools.partial(runpy.run_module, words[1], run_name="__main__", alter_sys=True))
    else:
        sys.argv, sys.path[0] = list(words), str(Path(words[0]).resolve().parent)
        end(functools.partial(runpy.run_path, words[0], run_name="__main__"))


def end(main: Callable[[], object]) -> NoReturn:
    """Call the main function of a process, then end as an interpreter does, but leave the memory as it is.

    An interpreter takes all modules apart before it ends. In a fork of the server that would write to, and so copy, all
    of its pages: three quarters of the processor time of a short command.
    """
    status = 0
    try:
        main()
    except SystemExit as error:
        status = error.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException as error:
        sys.excepthook(*sys.exc_info())
        status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream and not stream.closed:
            stream.flush()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
