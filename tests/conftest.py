"""Time limits, and fixtures: the repository, the real data, commands, and a toy study made by the scripts."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import processes, warm
from tests.support.warm import REPO

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

FRONT_DOOR = 900  # seconds that a test of commands may take with its fixtures; the others: pyproject.toml


def pytest_configure() -> None:
    """Compute in one thread, since a fork of more of them hangs when it computes, and have signals heard that a shell
    lets what it starts in the background, or under nohup, ignore."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch, which is not imported yet, reads it once
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_ignore_collect(collection_path, config) -> bool | None:
    """``-m forks`` imports only files of such tests: the others take seconds, and memory that every fork would map."""
    others = config.option.markexpr == "forks" and collection_path.name.startswith("test_")
    return True if others and "mark.forks" not in collection_path.read_text(encoding="utf-8") else None


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if {"run", "toy"} & set(item.fixturenames) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FRONT_DOOR))


def pytest_runtest_teardown(item) -> None:
    """What a test has forked ends with it, whatever became of it."""
    if item.get_closest_marker("forks"):
        from tests.stress import runs

        runs.kill_all()


def run_command(command, check: bool = True, cold: bool = False, **variables) -> subprocess.CompletedProcess:
    """Run a command in the repository and capture its output.

    Args:
        command: words of any type, e.g. paths and numbers.
        check: fail the test, with the output, unless the command ends with status 0.
        cold: start the commands of the environment, not forks of the warm server.
        variables: of the environment, to set.

    Raises:
        AssertionError: it did not end within ``processes.SECONDS``.
    """
    environment = warm.cold() if cold else warm.environment()
    done = processes.run(command, env=environment | {name: str(value) for name, value in variables.items()})
    assert not check or done.returncode == 0, f"{done.args}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the repository."""
    return REPO


@pytest.fixture(scope="session")
def run():
    """``run_command``."""
    return run_command


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real data, where there is any."""
    folder = Path(os.environ.get("FAIRSEQ_ALIGN_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"waits for real data in {folder}; set FAIRSEQ_ALIGN_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """A study of the toy language as examples/derived/prepare.sh makes it, with a lexicon.

    Holds ``data-bin`` and ``pos-bin`` of ``en`` and ``en-transliterate+invert``, ``spm`` and ``lexicon[.heldout].tsv``.
    """
    work = tmp_path_factory.mktemp("toy")
    run_command(["python", "examples/toy_language.py", "--out", work / "toy", "--sentences", 3000, "--treebank", 600])
    files = {split.upper(): work / "toy" / f"{split}.conllu" for split in ("train", "valid", "test")}
    run_command(
        ["bash", "examples/derived/prepare.sh", "transliterate,invert"],
        WORK=work, TEXT=work / "toy" / "text.txt", VOCABULARY=400, WORKERS=1, SPLIT=300, **files,
    )  # fmt: skip
    run_command(
        ["python", "preprocess/lexicon.py", "derived", "--dict", work / "data-bin" / "dict.txt"]
        + ["--out", work / "lexicon.tsv", "--heldout", work / "lexicon.heldout.tsv"]
    )
    return work


@pytest.fixture
def pretrain(run, toy, tmp_path):
    """Pre-train on the toy data; returns the output, the checkpoints are in ``tmp_path / name``."""
    from tests.support.training import MODEL, OPTIMIZER, RUN, TARGET  # imports torch, which takes seconds

    def pretrain(
        name: str,
        *flags,
        criterion="align_mlm",
        data=toy / "data-bin",
        check=True,
        command=("fairseq-train",),
        user_dir="fairseq_align",
    ):
        lexicons = ["--lexicon", toy / "lexicon.tsv", "--heldout-lexicon", toy / "lexicon.heldout.tsv"]
        flags = [*(lexicons if criterion == "align_mlm" and "--lexicon" not in flags else []), *flags]
        command = [*command, data, "--user-dir", user_dir, "--task", "align_mlm", "--langs", f"en,{TARGET}"]
        command += ["--arch", "roberta_base", "--criterion", criterion, "--batch-size", 8]
        done = run([*command, "--save-dir", tmp_path / name, *MODEL, *OPTIMIZER, *RUN, *flags], check=check)
        return done if not check else done.stdout + done.stderr

    return pretrain
