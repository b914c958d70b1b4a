"""Parallel text: both sides cleaned, line by line, every pair counted."""

import gzip
import re

import pytest

from fairseq_align import cli
from fairseq_align.errors import InputError
from fairseq_align.text import bitext


def test_pairs_stay_side_by_side(run, tmp_path):
    (tmp_path / "a.tsv").write_text("The cat. It sat.\tx\tLe chat. Assis.\n\tx\tvide\nOh!\tx\tOh !\n", encoding="utf-8")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"Le  chat. Assis.\tThe cat. It sat.\nOui\tYes\n"))
    script = ["python", "preprocess/parallel.py", "--langs", "en,fr", "--out", tmp_path / "out"]
    done = run([*script, "--input", f"{tmp_path}/a.tsv:1,3", f"{tmp_path}/b.tsv.gz:2,1"])
    assert "5 read, 3 kept, 1 empty, 0 too long, 1 duplicate" in done.stdout
    english, french = ((tmp_path / "out" / lang / "train.txt").read_text().splitlines() for lang in ("en", "fr"))
    assert english == ["The cat . It sat .", "Oh !", "Yes"] and french == ["Le chat . Assis .", "Oh !", "Oui"]


def test_words_of_raw_text_stay_as_they_stand(tmp_path):
    (tmp_path / "a.tsv").write_text("It  isn't,  no.\tCe n'est pas.\n", encoding="utf-8")
    out = (tmp_path / "en.txt", tmp_path / "fr.txt")
    bitext.build([(tmp_path / "a.tsv", (1, 2))], out, ("en", "fr"), tokenized=True)
    assert [path.read_text() for path in out] == ["It isn't, no.\n", "Ce n'est pas.\n"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["a.tsv:1,3"], "a.tsv:1: found 2 columns, expected at least 3"),
        (["a.tsv"], "--input: found 'a.tsv', expected a file and two of its columns"),
        (["a.tsv:0,1"], "--input: found 'a.tsv:0,1'"),
        (["no.tsv:1,2"], "no.tsv: found .*No such file"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(tmp_path, monkeypatch, capsys, flags, message):
    (tmp_path / "a.tsv").write_text("a\tb\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["parallel", "--langs", "en,fr", "--out", "out", "--input", *flags]) == 1
    error = capsys.readouterr().err
    assert re.match(f"error: {message}", error) and "--columns" not in error  # a flag of another script
    assert not list(tmp_path.glob("out/**/*.txt*"))


def test_a_tab_inside_a_sentence_is_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("It ran.\tIl courut.\nThe cat\tsat down.\tLe chat est assis.\n")
    with pytest.raises(InputError, match="a.tsv:2: found 3 columns, expected 2 as in the lines before; mend the line"):
        list(bitext.read(path, (1, 2)))
    path.write_text("The cat\tsat down.\tLe chat est assis.\nIt ran.\tIl courut.\n")
    with pytest.raises(InputError, match="a.tsv:2: found 2 columns, expected 3"):
        list(bitext.read(path, (1, 2)))


def test_blank_lines_and_empty_sides_are_pairs_that_are_left_out(tmp_path):
    (tmp_path / "a.tsv").write_text("Hello.\tBonjour.\n\n\tvide\n  \t \n   \nYes.\tOui.\n")
    counts = bitext.build([(tmp_path / "a.tsv", (1, 2))], (tmp_path / "en", tmp_path / "fr"), ("en", "fr"))
    assert counts == {"read": 6, "kept": 2, "empty": 4, "too long": 0, "duplicate": 0}
    assert (tmp_path / "fr").read_text() == "Bonjour .\nOui .\n"


def test_a_pair_that_is_too_long_is_counted_as_such(tmp_path):
    """Words are counted after tokenisation, on both sides; a pair with an empty side is empty whatever the other is."""
    (tmp_path / "a.tsv").write_text("a b.\tc d.\na b c.\td\ne\tf g h i\n\tj k l m n\na b.\tc d.\n")
    counts = bitext.build([(tmp_path / "a.tsv", (1, 2))], (tmp_path / "en", tmp_path / "fr"), ("en", "fr"), max_words=3)
    assert counts == {"read": 5, "kept": 1, "empty": 1, "too long": 2, "duplicate": 1}
    assert (tmp_path / "en").read_text() == "a b .\n"


def test_tatoeba_loses_no_line(data_dir, tmp_path):
    for lang, lines in {"fr": 850, "de": 970, "ar": 1000, "hi": 1000}.items():
        path = data_dir / "parallel" / f"tatoeba.en-{lang}.tsv"
        out = (tmp_path / f"en.{lang}", tmp_path / lang)
        counts = bitext.build([(path, (1, 2))], out, ("en", lang))
        assert counts["read"] == lines and counts["kept"] + counts["duplicate"] == lines
