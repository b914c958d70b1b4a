"""Commands that start warm: a server imports fairseq once and is forked for every command of the tests.

A process that imports torch and fairseq costs four seconds of processor time before it does anything, and the tests
start hundreds. Here each command is a small client in a folder that stands first in ``PATH``. It hands its arguments,
environment, folder and standard streams to a fork of the server, which runs the same script as a fresh interpreter
would, and ends with its status. What a fork could not do alike starts cold: Python with flags, and with other
``PYTHON...`` or ``OMP_...`` variables than the server's.

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
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SETTINGS = ("PYTHON", "OMP_")  # variables that are read when an interpreter starts or torch is imported
CONSOLE_SCRIPTS = ("fairseq-train", "fairseq-hydra-train", "fairseq-preprocess", "fairseq-validate")
CLIENT = """#!{python} -IS
import os, signal, socket, sys
words = {words} + sys.argv[1:]
settings = {{name: value for name, value in os.environ.items() if name.startswith({prefixes})}}
if settings != {settings} or not words or (words[0].startswith("-") and words[:2] != ["-m", "fairseq_align.cli"]):
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


def write_clients(folder: Path, address: Path, environment: dict[str, str]) -> None:
    """Write a client for each command: ``python``, ``fairseq-align`` and fairseq's.

    Args:
        address: socket of the server.
        environment: of the server.
    """
    bin_folder = Path(sys.executable).parent
    commands = {"python": [], "fairseq-align": ["-m", "fairseq_align.cli"]}
    commands |= {name: [str(bin_folder / name)] for name in CONSOLE_SCRIPTS}
    settings = {name: value for name, value in environment.items() if name.startswith(SETTINGS)}
    for name, words in commands.items():
        client = CLIENT.format(
            python=sys.executable, words=words, prefixes=SETTINGS, settings=settings, socket=str(address)
        )
        (folder / name).write_text(client, encoding="utf-8")
        (folder / name).chmod(0o755)


@functools.cache
def environment() -> dict[str, str]:
    """Variables with which commands find this Python and the package of the clone, and start warm; one thread each."""
    folder = Path(tempfile.mkdtemp(prefix="fairseq_align_"))
    atexit.register(shutil.rmtree, folder)
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    command = [sys.executable, __file__, str(folder / "server")]
    server = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    write_clients(folder, folder / "server", variables)
    assert server.stdout.readline() == b"ready\n"
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**variables, "PATH": path}


def serve(address: str) -> None:
    import fairseq  # noqa: F401
    import numpy as np
    import sacremoses  # noqa: F401
    import torch._dynamo  # noqa: F401   the first optimizer of a process would

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
            watch(connection, child)
        connection.close()
        random.seed()  # a fork has the server's states
        np.random.seed()
        run(streams, *message)
        return


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


def run(streams: list[int], folder: str, count: str, *words_and_variables: str) -> None:
    """Become the command."""
    os.setpgid(0, 0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    words, variables = words_and_variables[: int(count)], words_and_variables[int(count) :]
    os.environ.clear()
    os.environ.update(variable.split("=", 1) for variable in variables)
    if Path(words[0]).name in CONSOLE_SCRIPTS:  # they set up logging before they import fairseq, which does so, too
        logging.root.handlers.clear()
    if words[0] == "-m":
        sys.argv, sys.path[0] = list(words[1:]), folder
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = list(words), str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    serve(sys.argv[1])
