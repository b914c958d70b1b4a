"""The suite cannot hang: a test that takes too long fails, with what it started, and the others go on."""

import os
import re
import sys

import pytest

from tests.support import processes, warm

pytestmark = pytest.mark.timeout(600)  # more than the runs of pytest that they start

HANGS = """
import ctypes
import time
from pathlib import Path

from tests.support import processes

FOREVER = 10**6
PIDS = Path(__file__).with_name("pids")


def note(*pids):
    with PIDS.open("a") as file:
        file.writelines(f"{pid}\\n" for pid in pids)


def test_that_sleeps():
    time.sleep(FOREVER)


def test_that_runs_a_command_that_sleeps():
    command = f"echo begun; sleep {FOREVER} & echo $$ $! | tr ' ' '\\\\n' >> {PIDS}; wait"
    processes.run(["bash", "-c", command], seconds=2)


def test_that_sleeps_as_its_command_does():
    with processes.started(["sleep", FOREVER]) as process:
        note(process.pid)
        time.sleep(FOREVER)


def test_that_takes_no_time():
    pass


def test_that_holds_the_interpreter_lock():
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)  # no signal ends the second wait
"""
FORKS = """
import time

import pytest

from test_hangs import FOREVER, note
from tests.stress import runs  # imports fairseq, which takes seconds


@pytest.mark.forks
def test_that_forks_and_sleeps(tmp_path):
    note(runs.fork(lambda: time.sleep(FOREVER), tmp_path / "log"))
    time.sleep(FOREVER)
"""


def state(pid: str) -> str:
    """Of a process: empty if there is none."""
    found = processes.run(["ps", "-o", "stat=", "-p", pid])
    return found.stdout.strip()


@pytest.fixture
def hanging(tmp_path):
    """Run tests that hang, with the settings of this suite but for the seconds."""
    (tmp_path / "test_hangs.py").write_text(HANGS)
    (tmp_path / "test_forks.py").write_text(FORKS)

    def hanging(names: list[str], *flags) -> str:
        command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.conftest", "-q", *flags]
        command += ["-p", "no:cacheprovider", "--rootdir", tmp_path]
        for name in names:
            file = "test_forks.py" if f"test_that_{name}(" in FORKS else "test_hangs.py"
            command.append(f"{tmp_path / file}::test_that_{name}")
        done = processes.run(command, seconds=240, env=warm.cold())
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout + done.stderr

    return hanging


def test_what_takes_too_long_fails_and_leaves_nothing_running(hanging, tmp_path):
    names = ["sleeps", "runs_a_command_that_sleeps", "sleeps_as_its_command_does", "forks_and_sleeps", "takes_no_time"]
    said = hanging(names, "--timeout", 4)
    assert "4 failed, 1 passed" in said
    timeouts = re.findall(r"^E +Failed: Timeout \(>4\.0s\) from pytest-timeout\.", said, re.MULTILINE)
    assert len(timeouts) == 3  # the summary at the end repeats them where pytest does not cut its lines
    assert re.search(r"AssertionError: \['bash', '-c', .*: found no end within 2 s", said) and "begun" in said
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 4 and not any(state(pid).strip("Z") for pid in pids)
    assert state(str(os.getpid()))  # ps would have shown them


def test_a_deadlock_in_c_code_ends_the_process_and_is_named(hanging):
    limits = ["-o", "faulthandler_timeout=4", "--timeout", 2, "--numprocesses", 1]
    said = hanging(["holds_the_interpreter_lock", "takes_no_time"], *limits)
    assert re.search("worker 'gw0' crashed while running '.*::test_that_holds_the_interpreter_lock'", said)
    assert "Timeout (0:00:04)!" in said and "in test_that_holds_the_interpreter_lock" in said
    assert "1 failed, 1 passed" in said
