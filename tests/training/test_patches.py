"""What is replaced in fairseq, and what is left to a program that imports it."""

import subprocess
import sys

import pytest
from fairseq import checkpoint_utils
from fairseq.trainer import Trainer

from fairseq_align.errors import InputError
from fairseq_align.training import patches
from fairseq_align.training.patches import PATCHES, install
from fairseq_align.training.replacement import replace


def python(repo, code: str, *arguments) -> subprocess.CompletedProcess:
    """Run a program of a user's."""
    return subprocess.run(
        [sys.executable, *arguments, "-c", code], cwd=repo, capture_output=True, text=True, timeout=300
    )


def test_the_table_is_applied_once():
    before = {patch.name: getattr(patch.owner, patch.attribute) for patch in PATCHES}
    install()
    assert {patch.name: getattr(patch.owner, patch.attribute) for patch in PATCHES} == before
    assert all(patch.applied for patch in PATCHES if patch.wanted())
    assert "fairseq.trainer.Trainer.load_checkpoint" in before and Trainer.load_checkpoint.__wrapped__


def test_a_function_that_is_not_fairseqs_is_refused_and_nothing_is_changed(monkeypatch):
    def another_plugins(*args):
        pass

    monkeypatch.setattr(checkpoint_utils, "load_checkpoint_to_cpu", another_plugins)
    monkeypatch.setattr(Trainer, "load_checkpoint", stock := Trainer.load_checkpoint.__wrapped__)
    with pytest.raises(InputError, match=f"checkpoint_utils.load_checkpoint_to_cpu: found a function of {__name__}"):
        install()
    assert Trainer.load_checkpoint is stock and checkpoint_utils.load_checkpoint_to_cpu is another_plugins


def test_a_static_method_stays_one():
    class Files:
        @staticmethod
        def copy(source, target):
            return f"{source} {target}"

    replace(Files, "copy", lambda stock, *paths: stock(*paths).upper())
    replace(Files, "copy", lambda stock, *paths: pytest.fail("replaced twice"))
    assert Files.copy("a", "b") == Files().copy("a", "b") == "A B"


def test_importing_the_package_changes_nothing_before_fairseq_is_imported(repo):
    code = """
import signal, sys
hook, handler = sys.excepthook, signal.getsignal(signal.SIGTERM)
import fairseq_align
loaded = {"torch", "fairseq", "numpy"} & sys.modules.keys()
import fairseq
from fairseq.tasks import TASK_REGISTRY
print(loaded, "align_mlm" in TASK_REGISTRY, sys.excepthook is hook, signal.getsignal(signal.SIGTERM) is handler)
"""
    assert python(repo, code).stdout == "set() True True True\n"


def test_a_program_keeps_its_own_train_and_its_signal_handlers(repo):
    """It loads a checkpoint as fairseq's training does, with a loop of its own."""
    code = """
import signal
from fairseq import checkpoint_utils
import fairseq_align

def train(x):
    return x + 1

def handler(number, frame):
    print("mine")

signal.signal(signal.SIGTERM, handler)
try:
    checkpoint_utils.load_checkpoint(None, None)
except AttributeError:
    print("no settings")
signal.raise_signal(signal.SIGTERM)
print(train(1))
"""
    done = python(repo, code)
    assert done.stdout == "no settings\nmine\n2\n", done.stderr


def test_a_fairseq_that_does_not_import_is_said_with_advice(tmp_path, repo):
    (tmp_path / "fairseq").mkdir()
    (tmp_path / "fairseq" / "__init__.py").write_text("raise ValueError('mutable default is not allowed')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import fairseq_align.tasks"
    assert python(repo, code).stderr.endswith(
        "ImportError: fairseq: found ValueError: mutable default is not allowed, expected a fairseq that imports; "
        "run fairseq-align doctor\n"
    )


def test_commands_of_fairseq_show_an_input_error_in_one_line(monkeypatch):
    (patch,) = [patch for patch in patches.PATCHES if patch.owner is sys]
    assert not patch.wanted()
    for path, wanted in (("/bin/fairseq-train", True), ("/lib/fairseq_cli/train.py", True), ("/me/train.py", False)):
        monkeypatch.setattr(sys.modules["__main__"], "__file__", path, raising=False)
        assert patch.wanted() is wanted
