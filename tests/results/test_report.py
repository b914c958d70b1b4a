import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fairseq_align.errors import InputError
from fairseq_align.results import aggregate, command, records, report
from fairseq_align.results.comparison import comparisons
from tests.results.scores import STUDY, alignment, cells_of, mlm, pos, tables_of, whole
from tests.results.test_curves import LOGS


def test_every_counted_score_has_its_signature_in_the_report():
    cells = cells_of(STUDY)
    text = report.to_markdown(cells, comparisons(cells), tables_of(cells), aggregate.count(STUDY))
    assert [text.count(records.signature(record)) for record in STUDY] == [1] * len(STUDY)
    assert "Scored on en-x: P@1 seen; POS zero-shot; POS zero-shot, frozen." in text
    assert "MLM loss" not in text  # the legend tells only of what is there


def write_results(path, records=STUDY):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


draws = pytest.mark.skipif(find_spec("matplotlib") is None, reason="waits for matplotlib: bash install.sh brings it")


def run(path, folder, *more):
    """The command as ``fairseq-align report`` runs it."""
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", str(path), "--out", str(folder), *more])
    return args.func(args)


def test_scores_that_do_not_name_their_vocabulary_are_taken_with_a_line(tmp_path, caplog):
    """As an earlier version wrote them."""
    known = [record | {"vocabulary": "0123456789ab", "sentencepiece": "ba9876543210"} for record in STUDY]
    report.tabulate(write_results(tmp_path / "known.jsonl", known), tmp_path)
    assert not caplog.records and "| sentencepiece:ba9876543210 |" in (tmp_path / "report.md").read_text()
    report.tabulate(write_results(tmp_path / "mixed.jsonl", known[:-2] + STUDY[-2:]), tmp_path)
    assert caplog.messages == [f"2 of {len(STUDY)} scores do not say of which dict.txt they are; they are taken"]


FIGURES = {f"{name}.{suffix}" for name in ("report", "scatter") for suffix in ("png", "svg")}


@draws
def test_the_command_writes_tables_and_figures(tmp_path, capsys):
    assert run(write_results(tmp_path / "results.jsonl"), tmp_path / "out") == 0
    assert "| ALIGN-MLM |    50 % |     3 |  95.0 ± 5.0 | 75.5 ± 0.7 (2) |    44.0 ± 4.0 |" in capsys.readouterr().out
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"report.csv", "report.html", "report.md", "report.tex"} | FIGURES
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")


@draws
@pytest.mark.parametrize("records", [STUDY[:1], STUDY[5:8], [mlm("loss", 4.0)]], ids=["one seed", "no POS", "neither"])
def test_the_figure_is_drawn_whatever_is_missing(tmp_path, records):
    assert run(write_results(tmp_path / "results.jsonl", records), tmp_path) == 0
    assert (tmp_path / "report.png").stat().st_size > 5000


GOLDEN = Path(__file__).with_name("golden")  # written by the package as it was before its modules lay in rooms


@draws
def test_the_report_of_old_results_is_the_old_report_to_the_byte(tmp_path):
    run(GOLDEN / "results.jsonl", tmp_path)
    for name in ("report.md", "report.csv", "report.tex"):
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


@draws
def test_the_report_is_the_same_each_time(tmp_path):
    path = write_results(tmp_path / "results.jsonl")
    run(path, tmp_path / "a")
    run(path, tmp_path / "b")
    for name in {"report.html", "report.md", "report.csv", "report.tex"} | FIGURES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_matplotlib_the_tables_are_there_and_the_advice_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(
        sys.modules, "fairseq_align.results.figures", raising=False
    )  # an earlier test may have loaded it
    monkeypatch.delattr("fairseq_align.results.figures", raising=False)
    with pytest.raises(InputError, match=r"report.png: found no matplotlib.*bash install.sh brings it"):
        run(write_results(tmp_path / "results.jsonl"), tmp_path)
    assert "44.0 ± 4.0" in capsys.readouterr().out
    for name in ("report.md", "report.html"):
        assert "44.0 ± 4.0" in (tmp_path / name).read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.part"))


def test_no_scores_are_an_error(tmp_path):
    path = write_results(tmp_path / "results.jsonl", [])
    with pytest.raises(InputError, match="results.jsonl: found no scores, expected at least one line; run"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@draws
def test_names_that_mean_something_to_a_formatter_are_only_names(tmp_path):
    names = [r"\frac{$1}$^{", "<b>&amp;", "x" * 200]
    scores = [make(0.5, variant=name) for name in names for make in (pos, whole)]
    assert run(write_results(tmp_path / "results.jsonl", scores), tmp_path / "out") == 0
    assert (tmp_path / "out" / "report.png").stat().st_size < 1_000_000
    assert (tmp_path / "out" / "report.html").stat().st_size < 100_000


@draws
def test_curves_are_drawn_of_logs(tmp_path):
    logs = []
    for name, text in LOGS.items():
        logs.append(tmp_path / name / "train.log")
        logs[-1].parent.mkdir()
        logs[-1].write_text(text)
    path = write_results(tmp_path / "results.jsonl", [*STUDY, alignment(0.5, band="pieces:2")])
    assert run(path, tmp_path / "out", "--logs", *map(str, logs)) == 0
    assert "![Learning curves" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "curves.png").stat().st_size > 5000 and (tmp_path / "out" / "curves.svg").exists()


HOSTILE = (
    "$\\frac{1}{2}$", "$\\frac$", "<script>alert(1)</script>", "\\input{/etc/passwd}", "`x`", "[a](javascript:b)", "x_",
    "^", "*a*", "&lt;", "-" * 200, "$" * 200, "%", "\\", "~~a~~", "#", '"',
)  # fmt: skip


@draws
def test_a_name_from_a_results_file_is_text_in_every_part_of_a_report(tmp_path):
    """Markdown, LaTeX and matplotlib's formulas: nothing in a name is markup, and no name is refused half way."""
    path = tmp_path / "results.jsonl"
    for number, variant in enumerate(HOSTILE):
        for lang in ("en", "fr"):
            record = STUDY[0] | {"variant": variant, "lang": lang, "derivation": variant, "value": number / 100}
            records.append(path, record)
    made = report.report(path, tmp_path / "out")
    assert {f"report.{suffix}" for suffix in ("md", "tex", "csv", "png", "svg")} <= {path.name for path in made.paths}
    markdown, latex = ((tmp_path / "out" / name).read_text() for name in ("report.md", "report.tex"))
    shown = markdown[: markdown.index("```text")]  # below, signatures are verbatim
    assert "<script" not in shown and "[a](java" not in shown and "`x`" not in shown and "&amp;lt;" in shown
    assert "<" not in latex and "\\input" not in latex and "\\frac" not in latex
    svg = (tmp_path / "out" / "report.svg").read_text()
    assert "<script" not in svg  # and a name that is no whole formula was drawn


@pytest.mark.parametrize(
    "field, value",
    [
        ("variant", "a" * 100_000),
        ("variant", "\ud800"),
        ("seed", 10**400),
        ("n", 10**19),
        ("value", 10**400),
        ("layer", []),
    ],
)
def test_a_score_that_no_report_can_show_is_refused_with_its_line(tmp_path, field, value):
    path = tmp_path / "results.jsonl"
    path.write_text(json.dumps(STUDY[0] | {field: value}) + "\n")
    with pytest.raises(InputError, match=rf"results.jsonl:1: found {field} .*, expected"):
        report.report(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@draws
def test_more_rows_than_a_figure_has_room_for_are_said_after_the_tables(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(STUDY[0] | {"variant": f"v{number}"}) + "\n" for number in range(700)))
    with pytest.raises(InputError, match="found 700 rows, expected fewer in a figure"):
        report.report(path, tmp_path / "out")
    assert (tmp_path / "out" / "report.md").exists()
