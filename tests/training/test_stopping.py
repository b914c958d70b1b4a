"""Signals of a person, ranks that are killed or stopped, and two runs in one folder."""

import json
import os
import re
import resource
import signal
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.multiprocessing.spawn import ProcessExitedException

from fairseq_align.criterions.align_mlm import AlignMlmLoss
from fairseq_align.errors import InputError, show_in_one_line
from fairseq_align.training import failures, lock, stopping
from tests.stress import runs
from tests.training.test_start import changed, last, log, signalled

pytestmark = pytest.mark.forks

UPDATES = 8


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    data = runs.write_data(tmp_path_factory.mktemp("stopping") / "data")
    return runs.settings(data, "--save-interval-updates", 5)


@pytest.fixture(scope="module")
def whole(cfg, tmp_path_factory) -> Path:
    save = tmp_path_factory.mktemp("whole") / "run"
    assert runs.finish(cfg, save, UPDATES) == 0
    return save


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_ctrl_c_and_a_terminal_that_goes_save_a_checkpoint(cfg, whole, tmp_path, number, status):
    """A launcher may pass the signal on that the process has got already: twice in a moment is once."""
    save = tmp_path / "run"

    def twice() -> None:
        signalled(number, 3)()
        signalled(number, 3)()

    assert runs.finish(cfg, save, UPDATES, twice) == status
    assert re.findall(
        r"stopped by a signal after 3 updates, saved .*/checkpoint_last.pt; the same command goes on", log(save)
    )
    assert "Traceback" not in log(save)
    assert runs.finish(cfg, save, UPDATES) == 0 and runs.same(last(save), last(whole))


def stuck(update: int):
    """A change to a process: an update never ends."""

    def break_it() -> None:
        stopping.REPEAT = 0.05
        stock, calls = AlignMlmLoss.forward, iter(range(1, 1 << 30))

        def forward(*args, **kwargs):
            while next(calls) == update:
                print("stuck in an update", flush=True)
                time.sleep(1000)
            return stock(*args, **kwargs)

        AlignMlmLoss.forward = forward

    return break_it


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_second_signal_ends_a_run_at_once_that_is_stuck(cfg, tmp_path, number, status):
    save = tmp_path / "run"
    process = runs.start(cfg, save, UPDATES, stuck(3))
    runs.begun(save, process, 2)
    while "stuck in an update" not in log(save):  # a signal before would end the run after its update
        time.sleep(0.005)
    os.kill(process, number)
    time.sleep(0.5)
    assert os.waitpid(process, os.WNOHANG) == (0, 0)
    os.kill(process, number)
    assert runs.end(process, 20) == status and "stopped at once, by a second signal" in log(save)


def test_signals_that_a_command_was_started_without_stay_ignored(cfg, tmp_path):
    """nohup, and Ctrl-C in what a script has started in the background."""

    def nohup() -> None:
        for number in stopping.BY_PERSON:
            signal.signal(number, signal.SIG_IGN)
            signalled(number, 3)()

    assert runs.finish(cfg, tmp_path / "run", 4, nohup) == 0


def test_a_checkpoint_is_saved_when_the_terminal_that_is_written_to_is_gone(cfg, tmp_path):
    save, (ours, theirs) = tmp_path / "run", os.openpty()

    def attach() -> None:
        os.close(ours)
        for number in (1, 2):
            os.dup2(theirs, number)
        os.close(theirs)

        stock, calls = AlignMlmLoss.forward, iter(range(1, 1 << 30))

        def forward(*args, **kwargs):
            if next(calls) == 3:
                while os.isatty(1):
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGHUP)
            return stock(*args, **kwargs)

        AlignMlmLoss.forward = forward

    process = runs.start(cfg, save, UPDATES, attach)
    os.close(theirs)
    shown = b""
    while b'"num_updates": "2"' not in shown:
        shown += os.read(ours, 4096)
    os.close(ours)
    assert runs.end(process) == 129 and last(save)["scheduler"]["num_updates"] == 3


def test_a_run_that_saves_nothing_does_not_ask_to_be_given_again(cfg, tmp_path):
    save = tmp_path / "run"
    assert runs.finish(changed(cfg, no_save=True), save, UPDATES, signalled(signal.SIGTERM, 3)) == 143
    assert "stopped by a signal after 3 updates, saved nothing, as --no-save says" in log(save)


def test_ctrl_c_before_the_first_update_is_one_line(capsys):
    show_in_one_line(None, KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err.startswith("stopped by Ctrl-C") and not capsys.readouterr().err


@pytest.mark.parametrize(("ended", "expected"), [(75, SystemExit), (130, SystemExit), (-9, InputError), (3, Exception)])
def test_a_command_that_starts_its_ranks_ends_as_they_do(ended, expected):
    def call_main(*_):
        raise ProcessExitedException("process 1 ended", error_index=1, error_pid=2, exit_code=ended)

    alone = Namespace(distributed_training=Namespace(distributed_no_spawn=True, distributed_world_size=1))
    with pytest.raises(
        expected, match={-9: "found rank 1 ended by SIGKILL, expected it to train"}.get(ended)
    ) as raised:
        stopping.launch(call_main, alone, None)
    assert ended not in (75, 130) or raised.value.code == ended


# --- ranks ---


def impatient() -> None:
    failures.SILENCE = 3.0


@pytest.mark.parametrize(("number", "rank", "message"), [
    (signal.SIGKILL, 1, r"rank 1 is gone: "),
    (signal.SIGSTOP, 1, r"no sign of life from rank 1 for 3 s: killed or stopped, or the machine is frozen"),
    (signal.SIGSTOP, 0, r"no sign of life from rank 0 for 3 s: killed or stopped, or the machine is frozen"),
])  # fmt: skip
def test_a_rank_that_falls_silent_ends_the_others_which_name_it(cfg, tmp_path, number, rank, message):
    save = tmp_path / "run"
    before = impatient if number == signal.SIGSTOP else lambda: None
    started = [runs.start(one, save, UPDATES * 1000, before) for one in runs.ranks(cfg, 2)]
    runs.begun(save, started[0])
    begin = time.monotonic()
    os.kill(started[rank], number)
    assert runs.end(started[1 - rank], 60) == 1
    assert re.search(f"all ranks end: {message}", log(save)), log(save)[-2000:]
    assert time.monotonic() - begin < 30


def test_a_full_disk_on_one_rank_ends_all_with_its_message(cfg, tmp_path):
    save = tmp_path / "run"
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # noqa: E731   more than the log has
    ranks = zip(runs.ranks(cfg, 2), (full, lambda: None), strict=True)
    started = [runs.start(one, save, UPDATES, before) for one, before in ranks]
    assert [runs.end(process) for process in started] == [1, 1]
    assert len(set(re.findall("all ranks end: (rank 0: .*)", log(save)))) == 1 and not list(save.glob("*.pt"))


# --- a folder has one run ---


def test_a_second_run_in_a_folder_is_refused_while_the_first_one_lives(cfg, whole, tmp_path):
    save = tmp_path / "run"
    first = runs.start(cfg, save, UPDATES * 1000)
    runs.begun(save, first)
    assert runs.finish(cfg, save, UPDATES) == 1
    refused = re.search(
        r"error: (.*): found a run that writes there \(process (\d+) on (.*)\), expected none; .*", log(save)
    )
    assert refused[1] == str(save) and int(refused[2]) == first
    os.kill(first, signal.SIGKILL)
    assert runs.end(first) == -signal.SIGKILL
    assert runs.finish(changed(cfg, no_save=True), save, 1) == 0
    assert runs.finish(cfg, save, UPDATES) == 0 and f"process {first} on {refused[3]} is gone" in log(save)


@pytest.mark.parametrize("alive", [False, True])
def test_a_run_of_another_machine_is_known_by_its_signs_of_life(tmp_path, alive):
    """A file system that does not lock across machines shows the file all the same."""
    file = tmp_path / lock.NAME
    file.write_text(json.dumps({"process": 7, "host": "elsewhere"}))
    os.utime(file, (1, 1))

    def said() -> str:
        return (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""

    def take() -> None:
        lock.SILENCE = 2.0
        lock.take(tmp_path)

    process = runs.fork(take, tmp_path / "log")
    while alive and "waiting 2 s for a sign of life" not in said():
        time.sleep(0.01)
    if alive:
        time.sleep(0.3)  # it looks at the file as it is, and then for a change
        os.utime(file)
    assert runs.end(process) == int(alive)
    assert ("found a run that writes there (process 7 on elsewhere)" in said()) == alive


def test_a_run_that_ends_gives_its_lock_back(tmp_path):
    def take() -> None:
        lock.take(tmp_path / "run")
        assert json.loads((tmp_path / "run" / lock.NAME).read_text())["process"] == os.getpid()
        lock.take(tmp_path / "run")  # one run after the other of one process
        lock.give_back()

    assert runs.end(runs.fork(take, tmp_path / "log")) == 0, (tmp_path / "log").read_text()
    assert (tmp_path / "run" / lock.NAME).read_text() == ""


@pytest.mark.parametrize(("seconds", "asked"), [(0.25, [1, 2, 6, 10]), (3.0, list(range(1, 13))), (1e-5, [1, 2])])
def test_ranks_ask_each_other_once_a_second(monkeypatch, seconds, asked):
    """A signal that comes in update 4 is heard at the next question."""
    questions, clock = [], 100.0
    world = SimpleNamespace(distributed_training=SimpleNamespace(distributed_world_size=2))
    trainer = SimpleNamespace(cfg=world, device="cpu", get_num_updates=lambda: update)
    monkeypatch.setattr(stopping.distributed_utils, "get_global_group", lambda: None)
    monkeypatch.setattr(stopping.distributed_utils, "all_reduce", lambda *_, **__: questions.append(update))
    monkeypatch.setattr(stopping, "_turn", stopping._Turn())
    monkeypatch.setattr(stopping, "_received", set())
    monkeypatch.setattr(stopping.time, "monotonic", lambda: clock)
    for update in range(1, 13):
        if update == 4:
            stopping._receive(signal.SIGTERM, None)
        heard = stopping._heard_by_any_rank(trainer)
        assert heard == (signal.SIGTERM if update >= 4 and update in questions else 0)
        clock += seconds
    assert questions == asked and stopping._turn.next <= update + stopping.MOST
