import json
import random
import re
import runpy
import sys
from pathlib import Path

import pytest

from fairseq_align.errors import InputError
from fairseq_align.text import corpus

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "preprocess" / "corpus.py"


def test_a_line_is_normalised_split_and_tokenised():
    line = "Cafe\u0301s,\u00a0 don't\u2028close!\x00 (Mr. A. said.)"
    assert corpus.Cleaning("en").sentences(line) == ["Cafés , don 't close !", "( Mr. A. said . )"]
    assert corpus.Cleaning("en", split=False).sentences(line) == ["Cafés , don 't close ! ( Mr. A. said . )"]


def test_tokenised_text_keeps_its_words():
    assert corpus.Cleaning("en").sentences("a 2 @-@ 3 <unk>  b . Don 't", tokenized=True) == [
        "a 2 @-@ 3 <unk> b .",
        "Don 't",
    ]


def test_markup_is_not_escaped():
    assert corpus.Cleaning("en").sentences("a & b < c") == ["a & b < c"]


def test_sentences_are_kept_by_their_number_of_words():
    # 2, 3 and 4 words, the full stop included
    assert corpus.Cleaning("en", min_words=3, max_words=3).sentences("Go. We go. We go on.") == ["We go ."]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def build(path: Path, out: Path, seed: int = 1, workers: int = 1) -> dict[str, str]:
    corpus.build([(path, False)], out, corpus.Cleaning("en"), valid=20, test=30, seed=seed, workers=workers)
    return {split: (out / f"{split}.txt").read_text() for split in corpus.SPLITS}


def test_the_split_depends_on_seed_and_sentences_alone(tmp_path):
    lines = [f"Sentence {n} is here. It is {n % 7}." for n in range(1200)]
    first = build(write_lines(tmp_path / "a.txt", lines), tmp_path / "one")
    assert build(tmp_path / "a.txt", tmp_path / "two", workers=2) == first
    assert build(tmp_path / "a.txt", tmp_path / "three", seed=2)["valid"] != first["valid"]
    random.Random(0).shuffle(lines)
    shuffled = build(write_lines(tmp_path / "b.txt", lines), tmp_path / "four")
    for split in corpus.SPLITS:
        assert sorted(shuffled[split].split("\n")) == sorted(first[split].split("\n"))


def test_each_sentence_is_in_one_split_once(tmp_path):
    lines = [f"Number {n % 100} ." for n in range(1000)]
    splits = build(write_lines(tmp_path / "a.txt", lines), tmp_path / "out")
    found = [line for text in splits.values() for line in text.splitlines()]
    assert sorted(found) == sorted(set(lines))
    assert [len(splits[split].splitlines()) for split in corpus.SPLITS] == [50, 20, 30]


def test_too_little_text_for_the_splits_is_an_error_that_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="found 50 different sentences, expected more than the 50 of valid and test"):
        build(write_lines(tmp_path / "a.txt", [f"Number {n} ." for n in range(50)]), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_the_script_writes_splits_and_counts(run, tmp_path):
    raw = write_lines(tmp_path / "raw.txt", ["He doesn't know. Do you?", "Do you?", ""])
    tokenised = write_lines(tmp_path / "wiki.txt", ["It weighs 2 @.@ 5 kg . It does n't know ."])
    command = ["python", "preprocess/corpus.py", "--input", raw, "--tokenized", tokenised, "--lang", "en"]
    command += ["--out", tmp_path / "out", "--valid", "1", "--test", "0", "--workers", "2"]
    shown = run(command).stdout
    train, valid = (
        (tmp_path / "out" / f"{split}.txt").read_text().removesuffix("\n").split("\n") for split in ("train", "valid")
    )
    # 5 + 3 + 7 + 5 words
    assert sorted(train + valid) == ["Do you ?", "He doesn 't know .", "It does n't know .", "It weighs 2 @.@ 5 kg ."]
    counts = json.loads((tmp_path / "out" / "counts.json").read_text())
    assert counts["train"]["words"] + counts["valid"]["words"] == 20
    assert f"train: 3 sentences, {counts['train']['words']} words\n" in shown
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["counts.json", "train.txt", "valid.txt"]


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        ([], "name at least one file"),
        (["--input", "missing.txt"], "missing.txt: found .*No such file.*check the path"),
        (["--input", "missing.txt", "--valid", "-1"], "--valid: found -1, expected a number of at least 0"),
    ],
)
def test_the_script_says_what_to_mend(tmp_path, monkeypatch, capsys, flags, advice):
    monkeypatch.setattr(sys, "argv", ["corpus.py", "--lang", "en", "--out", str(tmp_path / "out"), *flags])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert end.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1
    assert re.search(advice, shown)


def test_tables_need_an_extra_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    message = "pyarrow: found .*, expected what the extra parquet installs; run EXTRAS=parquet bash install.sh"
    with pytest.raises(InputError, match=message):
        corpus.build([(tmp_path / "a.parquet", False)], tmp_path / "out", corpus.Cleaning("en"), 0, 0, 1)
