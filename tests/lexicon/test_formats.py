"""Dictionary files are read by the reader of their suffix, also by one from outside the package."""

from pathlib import Path

from fairseq_align import cli
from fairseq_align.lexicon import file, formats
from fairseq_align.lexicon.wordlist import Pair
from tests.lexicon.test_dictd import ENTRIES, pairs, write_dictd
from tests.lexicon.test_tei import TEI


def test_the_suffix_chooses_the_reader(tmp_path):
    (tmp_path / "a.tei").write_text(TEI, encoding="utf-8")
    (tmp_path / "a.txt").write_text("house maison\n")
    assert pairs(formats.read(write_dictd(tmp_path))) == sum((found for *_, found in ENTRIES), [])
    assert ("color", "couleur") in pairs(formats.read(tmp_path / "a.tei"))
    assert pairs(formats.read(tmp_path / "a.txt")) == [("house", "maison")]


def test_a_form_from_outside_the_package_becomes_a_lexicon(subwords, tmp_path, monkeypatch):
    """A row of ``READERS`` is all that a new form needs: the command makes a lexicon of its files."""

    def read_xyz(path: Path):
        for line in path.read_text().splitlines():
            yield Pair(*line.split(" = "))

    monkeypatch.setitem(formats.READERS, ".xyz", read_xyz)
    (tmp_path / "en-fr.xyz").write_text("house = maison\ncat = chat\n")
    out = tmp_path / "lexicon.tsv"
    flags = ["--model", subwords / "spm.model", "--dict", subwords / "dict.txt", "--out", out]
    assert cli.main([str(word) for word in ["lexicon", "words", tmp_path / "en-fr.xyz", *flags]]) == 0
    entries, _ = file.read(out)
    assert [tuple("".join(side) for side in entry[:2]) for entry in entries] == [
        ("▁house", "▁maison"),
        ("▁cat", "▁chat"),
    ]
