"""The few lines with which a study ends: a table that fits a terminal, what it says, where the picture is."""

from pathlib import Path

import pytest

from fairseq_align.results import report
from tests.results.test_report import GOLDEN

PATHS = tuple(map(Path, ("out/report.html", "out/report.md", "out/scatter.png", "out/report.png")))


@pytest.fixture
def written(tmp_path):
    return report.tabulate(GOLDEN / "results.jsonl", tmp_path)


def test_the_table_is_narrow_and_its_numbers_are_those_of_the_report(written):
    from fairseq_align.results.brief import narrowed

    whole = written.tables["Zero-shot transfer"]
    lines = narrowed(whole)
    assert lines[0][:2] == whole[0][:2] and len(lines[0]) < len(whole[0])
    for line, row in zip(lines[1:], whole[1:], strict=False):
        assert dict(zip(lines[0], line, strict=True)).items() <= dict(zip(whole[0], row, strict=True)).items()
    assert all(line[:2].count("n") == 0 for line in lines)


def test_it_ends_with_the_picture_and_the_page_of_all_tables(written):
    from fairseq_align.results.brief import brief

    lines = brief(written.cells, written.tables, PATHS).splitlines()
    assert lines[-2:] == ["picture: out/report.png", "all tables and figures: out/report.html"]
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize(
    ("mlm", "aligned", "found", "says"),
    [
        (
            (0.217, 0.219),
            (0.587, 0.589),
            (0.013, 1.0),
            "58.8 %: 37.0 points more|100.0 % of all|transfers better",
        ),
        ((0.5,), (0.4,), (0.1, 0.9), "40.0 %: 10.0 points less|90.0 % of all pieces|did not help"),
        ((0.5,), (0.503,), (0.1, 0.9), "50.3 %: 0.3 points more|90.0 % of all pieces|did not help"),
        ((0.5,), (0.6,), (), "60.0 %: 10.0 points more"),
    ],
)
def test_the_sentences_say_what_the_numbers_say(mlm, aligned, found, says):
    from fairseq_align.results.aggregate import Cell, CellKey, Column, Row
    from fairseq_align.results.brief import sentences

    rows = Row("invert", "mlm", None), Row("invert", "align_mlm", 0.5)
    transfer, whole = Column("pos", "accuracy", "test", "zero-shot"), Column("alignment", "p@1", "whole")
    seeds = tuple(range(1, len(mlm) + 1))
    cells = {CellKey(row, None, transfer): Cell(seeds, values, (9,) * len(seeds))
             for row, values in zip(rows, (mlm, aligned), strict=True)}  # fmt: skip
    cells |= {CellKey(row, None, whole): Cell((1,), (value,), (9,)) for row, value in zip(rows, found, strict=False)}
    said = " ".join(sentences(cells))
    assert all(part in said for part in says.split("|"))
    assert said.count("pieces") == (len(found) > 0)
    heldout = Column("alignment", "p@1", "heldout")
    cells |= {CellKey(row, None, heldout): Cell((1,), (0.25,), (9,)) for row in rows}
    assert ("25.0 % of all held-out words" in " ".join(sentences(cells))) == (not found)
    del cells[CellKey(rows[0], None, transfer)]
    assert sentences(cells) == []  # nothing to compare with
