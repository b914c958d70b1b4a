"""The commands of the environment, each in a process of its own as users start them; most tests fork a warm server."""

import signal
import sys

import pytest

from tests.support import warm
from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET, logged, updates


def test_real_commands_preprocess_train_and_validate(run, toy, tmp_path):
    for split in ("train", "valid"):
        lines = (toy / "toy" / "text.txt").read_text().splitlines()[:200]
        (tmp_path / f"{split}.en").write_text("".join(f"{line}\n" for line in lines))
    command = ["fairseq-preprocess", "--only-source", "--source-lang", "en", "--workers", 1]
    command += ["--srcdict", toy / "data-bin" / "dict.txt", "--destdir", tmp_path / "bin"]
    run([*command, "--trainpref", tmp_path / "train", "--validpref", tmp_path / "valid"], cold=True)
    assert (tmp_path / "bin" / "train.en-None.en.idx").stat().st_size > 0

    shared = [toy / "data-bin", "--user-dir", "fairseq_align", "--task", "align_mlm", "--langs", f"en,{TARGET}"]
    command = ["fairseq-train", *shared, "--arch", "roberta_base", "--criterion", "align_mlm", "--batch-size", 8]
    command += ["--lexicon", toy / "lexicon.tsv", *MODEL, *OPTIMIZER, *RUN, "--max-update", 2, "--save-dir"]
    cold, forked = (run([*command, tmp_path / str(cold)], cold=cold) for cold in (True, False))
    cold, forked = (updates(done.stdout + done.stderr, "loss") for done in (cold, forked))
    assert len(cold) == 2 and cold == forked  # so that what the other tests see is what users have

    command = ["fairseq-validate", *shared, "--path", tmp_path / "True" / "checkpoint_last.pt", "--batch-size", 8]
    done = run([*command, "--valid-subset", "valid_en", "--cpu", "--log-format", "json"], cold=True)
    (record,) = logged(done.stdout + done.stderr, "valid_en")
    assert 0 < record["valid_en_mlm_loss"] < 20
    assert "usage: fairseq-align" in run(["fairseq-align", "--help"], cold=True).stdout


BEFORE = """
import atexit, os, signal, sys, threading, time
atexit.register(print, "at the end")
threading.Thread(target=lambda: (time.sleep(0.2), print("from a thread"))).start()
print("unfinished", end=" ")
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('what is wrong')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_a_forked_command_ends_as_a_new_one(run, tmp_path, end, status):
    script = tmp_path / "script.py"
    script.write_text(BEFORE + end)
    new, forked = (run(["python", script], check=False, cold=cold) for cold in (True, False))
    assert new.returncode == forked.returncode == status
    assert new.stdout == forked.stdout
    assert status < -signal.SIGINT or "unfinished from a thread\nat the end\n" == new.stdout
    assert new.stderr.splitlines()[-1:] == forked.stderr.splitlines()[-1:]


def test_a_command_without_a_script_beside_python_is_its_module(monkeypatch, tmp_path):
    """As where packages are in a folder of ``PYTHONPATH``."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert warm.script("fairseq-train") == ["-m", "fairseq_cli.train"]
    (tmp_path / "fairseq-train").touch()
    assert warm.script("fairseq-train") == [str(tmp_path / "fairseq-train")]
