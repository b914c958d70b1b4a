"""Coverage of a text by a lexicon; weights by frequency; the script's inspect."""

import re
from collections import Counter

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import coverage
from fairseq_align.lexicon.file import Entry


def test_coverage_by_hand():
    counts = Counter({"the": 1200, "cat": 12, "sat": 10, "mat": 1})
    words = [("▁the",), ("▁c", "at"), ("▁c", "at"), ("▁the", "▁mat"), ("▁", "x", "y"), ("▁a", "b", "c", "d", "ef")]
    assert coverage.bands(counts, words) == [
        ("1000+", 1, 1, 1200, 1200), ("100-999", 0, 0, 0, 0), ("10-99", 2, 1, 22, 12), ("1-9", 1, 0, 1, 0),
        ("all", 4, 2, 1223, 1212),
    ]  # fmt: skip
    assert coverage.lengths(words) == {"1": 1, "2": 2, "3": 1, "4+": 1}
    assert coverage.in_characters(words) == [("▁", "x", "y")]


def test_frequent_pairs_weigh_more_by_hand():
    entries = [Entry(("▁c", "at"), ("▁chat",)), Entry(("▁ice", "▁cream"), ("▁glace",), 2.0)]
    counts = Counter({"cat": 15, "ice": 100, "cream": 3}), Counter({"chat": 3})
    found = [entry.weight for entry in coverage.weigh(entries, *counts, power=0.5)]
    assert found == pytest.approx([(16 * 4) ** 0.25, 2 * (4 * 1) ** 0.25])
    assert [entry.weight for entry in coverage.weigh(entries, *counts, power=0)] == [1, 2]
    with pytest.raises(InputError, match="found power 2 of the frequency, expected a number from 0 to 1"):
        coverage.weigh(entries, *counts, power=2)


def test_a_lexicon_is_inspected(run, tmp_path):
    """The script; a lexicon that covers less than half of the running words gets a warning."""
    (tmp_path / "lexicon.tsv").write_text("▁the\t▁la\n▁c at\t▁ch at\n▁c at\t▁ch at\n▁ok\t▁ok\n", encoding="utf-8")
    (tmp_path / "en.txt").write_text("the cat sat\nthe the the\n", encoding="utf-8")
    (tmp_path / "fr.txt").write_text("le chat noir\n", encoding="utf-8")
    script = ["python", "preprocess/lexicon.py", "inspect", tmp_path / "lexicon.tsv"]
    done = run([*script, "--source-text", tmp_path / "en.txt", "--target-text", tmp_path / "fr.txt"]).stdout
    assert "lexicon.tsv: 4 pairs, 1 identical, 1 duplicate" in done
    assert "source: 3 words; pieces: 2 of 1, 1 of 2; 0 in single characters\n" in done
    lines = [line.split() for line in done.splitlines()]
    assert ["all", "3", "66.7%", "6", "83.3%"] in lines and ["all", "3", "33.3%", "3", "33.3%"] in lines
    assert re.findall("warning: fewer than half of the running words of (.*) are in the lexicon", done) == [
        str(tmp_path / "fr.txt")
    ]
