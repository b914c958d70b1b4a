"""Help, usage errors and missing files are answered without what takes seconds to import."""

import os
import re
import sys

import pytest

from benchmarks import startup
from fairseq_align.cli import COMMANDS
from tests.support import processes
from tests.support.warm import REPO

HEAVY = "fairseq|torch|scipy|numpy|sacremoses|sentencepiece|tqdm"


def imported(*words: object) -> tuple[int, set[str]]:
    """Exit status of a command in a new interpreter, and which of the heavy packages it imported."""
    command = [sys.executable, "-X", "importtime", *words]
    done = processes.run(command, env=os.environ | {"PYTHONPATH": str(REPO)})
    return done.returncode, set(
        re.findall(r"\| +(fairseq|torch|scipy|numpy|sacremoses|sentencepiece|tqdm)$", done.stderr, re.M)
    )


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_and_usage_errors_are_light(command):
    assert imported("-m", "fairseq_align.cli", command, "--help") == (0, set())
    assert imported("-m", "fairseq_align.cli", command, "--no-such-flag") == (2, set())


@pytest.mark.parametrize(
    "command",
    [
        "corpus.py --lang en --out OUT --input NONE",
        "parallel.py --langs en,fr --out OUT --input NONE:1,2",
        "subword.py train --vocab-size 9 --out OUT --input NONE",
        "subword.py apply --model NONE --input NONE --output OUT",
        "subword.py masks --dict NONE --langs en",
        "lexicon.py derived --dict NONE --out OUT",
        "lexicon.py words NONE --model NONE --dict NONE --out OUT",
        "lexicon.py pivot NONE NONE --dict NONE --out OUT",
        "lexicon.py inspect NONE",
    ],
)
def test_missing_files_are_named_lightly(command, tmp_path):
    words = command.replace("NONE", str(tmp_path / "none")).replace("OUT", str(tmp_path / "out")).split()
    assert imported(f"preprocess/{words[0]}", *words[1:]) == (1, set())
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", startup.NAMED)
def test_missing_files_of_commands_are_named_lightly(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert imported(*startup.ALIGN, *startup.NAMED[command]) == (1, set())
    assert not any(tmp_path.iterdir())


def test_a_lexicon_is_inspected_lightly(tmp_path):
    (tmp_path / "lexicon.tsv").write_text("▁the\t▁la\n", encoding="utf-8")
    (tmp_path / "en.txt").write_text("the cat\n")
    inspect = ["preprocess/lexicon.py", "inspect", tmp_path / "lexicon.tsv", "--source-text", tmp_path / "en.txt"]
    assert imported(*inspect) == (0, set())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("syntax.py apply --help", 0),
        ("derive.py NONE/en NONE/x", 1),
        ("derive.py NONE/en NONE/x --transforms mirror", 1),
        ("derive.py NONE/en NONE/x --transforms invert", 1),
        ("derive.py NONE/en NONE/x --like NONE", 1),
        ("tagging.py --model NONE --dict NONE --lang en --out OUT", 1),
        ("tagging.py --model NONE --dict NONE --lang en --out OUT --test NONE", 1),
        ("xnli.py --model NONE --dict NONE --lang en --out OUT --test NONE", 1),
        ("syntax.py learn --treebank NONE --output OUT", 1),
        ("syntax.py apply --verbs NONE --input NONE --text OUT", 1),
        ("syntax.py compare --source NONE --result NONE --target NONE", 1),
    ],
)
def test_commands_of_derivations_and_labelled_data_are_light(command, status, tmp_path):
    words = command.replace("NONE", str(tmp_path / "none")).replace("OUT", str(tmp_path / "out")).split()
    assert imported(f"preprocess/{words[0]}", *words[1:]) == (status, set())
    assert not any(tmp_path.iterdir())
