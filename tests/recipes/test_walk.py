"""docs/walk.md: the commands of the newcomer's walk, run on small files.

The first two make and enter an environment, which the tests have: tests/run.sh begins with ``bash install.sh``, and
test_install.py runs it in an environment that lacks something, that lacks nothing, and where it breaks off.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.commands.test_docs import DOCS, blocks, other_language
from tests.support import processes, warm
from tests.support.warm import REPO

SMALL = {"UPDATES": "4", "EPOCHS": "1", "LAYERS": "1", "DIM": "16", "HEADS": "2", "BATCH": "8", "VOCABULARY": "400"}
SMALL |= {
    "SPLIT": "50",
    "JOBS": "1",
    "WORKERS": "1",
    "VALIDATIONS": "1",
    "OBJECTIVES": "align_mlm",
    "TUNE_UPDATES": "4",
}


@pytest.fixture(scope="module")
def commands() -> list[str]:
    """The commands of the page, one a line."""
    code = "".join(blocks(DOCS / "walk.md", "bash"))
    return [line for line in re.sub(r"\\\n\s*", "", code).splitlines() if line and not line.startswith("#")]


@pytest.fixture
def clone(toy, tmp_path) -> Path:
    """A folder like a clone, with small files of somebody's own."""
    for name in ("examples", "fairseq_align", "preprocess", "install.sh"):
        (tmp_path / name).symlink_to(REPO / name)
    my = tmp_path / "my"
    my.mkdir()
    text = (toy / "toy" / "text.txt").read_text(encoding="utf-8")
    words = sorted(set(re.findall(r"\w+", text.lower())))
    files = {"en.txt": text, "fr.txt": other_language(text)}
    files["en-fr.txt"] = "".join(f"{word} {other_language(word)}\n" for word in words)
    trees = {
        split: (toy / "toy" / f"{split}.conllu").read_text(encoding="utf-8") for split in ("train", "valid", "test")
    }
    files |= {
        f"en-{name}.conllu": trees[split] for name, split in (("train", "train"), ("dev", "valid"), ("test", "test"))
    }
    files["fr-test.conllu"] = other_language(trees["test"])
    for name, content in files.items():
        (my / name).write_text(content, encoding="utf-8")
    return tmp_path


def test_the_walk_has_at_most_ten_commands(commands):
    assert len(commands) <= 10
    assert commands[:3] == ["bash install.sh", ". .venv/bin/activate", "bash examples/quickstart.sh"]


@pytest.mark.timeout(900)
def test_the_quick_start_ends_with_its_table_and_what_to_do_next(commands, clone, toy):
    """Without its first step, install.sh, which makes an environment from wheels: test_install.py runs what it does.

    The toy language is there already, in fewer sentences, and there is one model, which learns 4 updates: the figures
    are not those of the page.
    """
    (clone / "install.sh").unlink()
    (clone / "install.sh").write_text("exit 0  # the environment of the tests has everything\n")
    shutil.copytree(toy / "toy", clone / "runs" / "quickstart" / "toy")
    environment = warm.environment()
    (clone / "environment").mkdir()
    (clone / "environment" / "bin").symlink_to(environment["PATH"].partition(":")[0])
    small = SMALL | {"VENV": str(clone / "environment"), "RATES": "1"}
    done = processes.run(shlex.split(commands[2]), cwd=clone, env=environment | small)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    shown = done.stdout.splitlines()
    (head,) = (number for number, line in enumerate(shown) if line.startswith("objective "))
    assert shown[head].split() == "objective lexicon seeds P@1 whole POS source POS zero-shot".split()
    assert shown[head + 2].split()[:4] == ["ALIGN-MLM", "100", "%", "1"]
    report = clone / "runs" / "quickstart" / "report"
    assert f"picture: {report.relative_to(clone)}/report.png" in shown and (report / "report.png").stat().st_size > 0
    assert f"all tables and figures: {report.relative_to(clone)}/report.html" in shown
    assert shown[-1].split() == "your own text, dictionary and treebank docs/walk.md".split()


@pytest.mark.timeout(900)
def test_own_files_become_a_report(commands, clone):
    """From the fourth command on, in one shell, as on the page."""
    script = "\n".join(commands[3:])
    done = processes.run(["bash", "-euc", script], cwd=clone, env=warm.environment() | SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = (clone / "runs" / "natural-own" / "report" / "report.md").read_text(encoding="utf-8")
    assert "POS zero-shot" in report and "P@1 held-out" in report
    assert "POS zero-shot" in done.stdout and "running words" in done.stdout
    assert (clone / "runs" / "natural-own" / "report" / "report.png").stat().st_size > 0
