"""``fairseq-align watch``: what the logs of trainings say while a command writes them, and how the command ended."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from fairseq_align.cli import main
from fairseq_align.commands.watch import Screen, Training
from tests.support import processes, warm

HEAD = "x | INFO | fairseq_cli.train | {'optimization': {'max_update': 0}, 'lr': {'total_num_update': '380'}}\n"
ENDED = "x | INFO | fairseq_cli.train | done training in 31.0 seconds\n"


def at(update: int) -> str:
    return f"x | INFO | train_inner | epoch 002:     24 / 76 loss=2.8, accuracy=47.1, num_updates={update}, lr=0.1\n"


def test_updates_done_of_all_and_the_time_left(tmp_path):
    log = tmp_path / "train.log"
    log.write_text(HEAD)
    training = Training(log, "pos-en", now=0.0)
    training.look(1.0)
    assert (training.total, training.done, training.left(1.0)) == (380, 0, None)
    for update, now in ((100, 10.0), (200, 20.0)):
        with open(log, "a") as file:
            file.write(at(update)[:-7])  # a line is read when it is whole
        training.look(now - 1)
        assert training.done == update - 100
        with open(log, "a") as file:
            file.write(at(update)[-7:])
        training.look(now)
    assert (
        training.done == 200 and training.left(20.0) == pytest.approx(18) and training.left(25.0) == pytest.approx(13)
    )
    assert training.line(20.0, 90, 8) == "pos-en    ███████████░░░░░░░░░        200 of 380 updates       0:18 left"
    with open(log, "a") as file:
        file.write(at(380) + ENDED)
    training.look(40.0)
    assert training.ended and training.line(40.0, 90, 6).endswith("380 of 380 updates       took 0:40")
    log.write_text(HEAD + at(100))  # begun again
    training.look(41.0)
    assert (training.done, training.ended) == (100, False)
    assert len(training.line(41.0, 40, 60)) == 40


def test_a_screen_that_cannot_show_a_bar_shows_ascii():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = Screen(out, "")
    screen._write("", ["██░░ …"])
    assert out.buffer.getvalue() == b"##.. ~\n"


def test_the_command_runs_and_its_trainings_are_shown(tmp_path, capsys):
    old = tmp_path / "runs" / "old" / "train.log"
    old.parent.mkdir(parents=True)
    old.write_text(HEAD + at(380) + ENDED)
    script = f'mkdir -p {tmp_path}/runs/a/pos; echo loud; printf %s "$1" > {tmp_path}/runs/a/pos/train.log; exit $2'
    command = ["watch", str(tmp_path / "runs"), "--output", str(tmp_path / "a.log"), "--title", "models", "--"]
    command += ["bash", "-c", script, "bash", HEAD + at(380) + ENDED]
    assert main([*command, "0"]) == 0
    shown = capsys.readouterr()
    assert shown.out.split()[0] == "a/pos" and "380 of 380 updates" in shown.out and shown.out.count("\n") == 1
    assert shown.err == "" and (tmp_path / "a.log").read_text() == "loud\n"
    assert main([*command, "3"]) == 3
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "loud", f"error: models failed; the whole log is {tmp_path / 'a.log'}"
    ]  # fmt: skip
    assert main(["watch", str(tmp_path), "--output", str(tmp_path / "a.log"), "--", "no-such-command"]) == 1
    assert "no-such-command: found No such file or directory, expected a command" in capsys.readouterr().err


def test_ctrl_c_is_one_line(tmp_path):
    command = [sys.executable, "-m", "fairseq_align.cli", "watch", tmp_path, "--output", tmp_path / "a.log", "--"]
    pipe = subprocess.PIPE
    begun = tmp_path / "begun"
    script = f"trap 'echo stopped; exit 1' INT; touch {begun}; while true; do sleep 0.1; done"
    with processes.started([*command, "bash", "-c", script], stdout=pipe, stderr=pipe, env=warm.cold()) as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert (
        messages.decode()
        == f"interrupted; the same command goes on from what is done; the log is {tmp_path / 'a.log'}\n"
    )
    assert (tmp_path / "a.log").read_text() == "stopped\n"  # it was waited for
