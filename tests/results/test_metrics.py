import csv

import pytest

from fairseq_align.errors import InputError
from fairseq_align.objectives import OBJECTIVES, Objective
from fairseq_align.results import charts, metrics, plots, records
from fairseq_align.results.comparison import comparisons
from fairseq_align.results.metrics import PERCENT, TASKS, TRANSFER, Metric, Task
from fairseq_align.results.report import draw, tabulate
from tests.results.scores import RUN, cells_of, pos, supervised, whole


@pytest.mark.parametrize("name", TASKS)
def test_a_fine_tuned_task_has_one_metric_in_tables_and_every_table_exists(name):
    task = TASKS[name]
    shown = [metric for metric in task.metrics.values() if metric.table]
    assert {metric.table for metric in shown} <= set(metrics.TABLES)
    assert {metric.details for metric in task.metrics.values() if metric.details} <= set(metrics.DETAIL_TABLES)
    assert len(shown) == 1 or not task.fine_tuned
    assert all(metric.legend for metric in shown)
    for metric in task.metrics.values():
        assert metric.difference is None or set(metric.difference) <= task.recorded.keys()


def test_a_difference_is_never_recorded(tmp_path):
    record = RUN | {"task": "mlm", "metric": "entropy_minus_loss", "split": "valid", "value": 1.0}
    with pytest.raises(InputError, match="found metric 'entropy_minus_loss', expected one of"):
        records.append(tmp_path / "results.jsonl", record)


def made_up(monkeypatch):
    """Rows that a plugin could add: an objective, and a word-level task with its metrics."""
    monkeypatch.setitem(
        OBJECTIVES, "code_switch", Objective("code_switch", "CODE-SWITCH", frozenset(), lambda *_: False)
    )
    uas = Metric("UAS", PERCENT, table=TRANSFER, legend=("DEP", "unlabelled attachment of words, in %"))
    monkeypatch.setitem(TASKS, "dep", Task("DEP", {"uas": uas, "las": Metric("LAS", PERCENT)}, fine_tuned=True))


def dep(value, **fields):
    return pos(value, **{"task": "dep", "metric": "uas"} | fields)


def study(objective):
    """Transfer, its comparisons and the alignment of four seeds."""
    for seed in range(4):
        yield dep(0.40 + seed / 10, objective=objective, seed=seed)
        yield dep(0.25, objective=objective, seed=seed, metric="las")
        yield dep(0.90, objective=objective, seed=seed, source_lang="en-x")
        yield whole(0.5 + seed / 10, objective=objective, seed=seed)


def test_a_new_objective_and_a_new_task_need_their_rows_alone(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    with pytest.raises(InputError, match="found task 'dep', expected one of alignment"):
        records.append(path, dep(0.5))
    made_up(monkeypatch)
    for objective in ("mlm", "code_switch"):
        for record in study(objective):
            records.append(path, record)
    with pytest.raises(InputError, match="found metric 'f1' of task 'dep', expected one of uas, las"):
        records.append(path, dep(0.5, metric="f1"))
    written = tabulate(path, tmp_path / "report")
    header, *lines = written.tables["Zero-shot transfer"]
    assert header[3:] == ["P@1 whole", "DEP supervised", "DEP zero-shot", "DEP gap"]
    assert [line[0] for line in lines] == ["MLM", "CODE-SWITCH", "n"] and lines[1][4:] == [
        "90.0 ± 0.0", "55.0 ± 12.9", "-35.0 ± 12.9",  # 40, 50, 60, 70: sd = sqrt(500 / 3) = 12.9
    ]  # fmt: skip
    assert written.tables["Beside the paper"][1][0] == "DEP" and written.tables["Beside the paper"][1][-1] == "—"
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "- DEP: unlabelled attachment of words, in %." in text
    assert "- DEP, B_Z − B_S: ρ = 1.000" in text and "DEP, the paper's" not in text
    assert text.count("dep uas ") == 16 and "dep las" not in text
    cells = list(csv.DictReader((tmp_path / "report" / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert {(cell["objective"], cell["score"]) for cell in cells} >= {("code_switch", "DEP gap"), ("mlm", "DEP gap")}


def test_figures_have_a_panel_of_a_new_task_and_a_colour_of_a_new_objective(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="waits for matplotlib: bash install.sh brings it")
    made_up(monkeypatch)
    path = tmp_path / "results.jsonl"
    scores = [record for objective in OBJECTIVES for record in study(objective)]
    for record in [*scores, pos(0.5)]:
        records.append(path, record)
    written = tabulate(path, tmp_path)
    bars, scatter = written.figures
    assert [chart.title for chart in bars.charts] == ["P@1 whole", "POS zero-shot", "DEP supervised", "DEP zero-shot"]
    colours = {key.label: key.colour for key in scatter.keys}
    labels = [objective.label for objective in OBJECTIVES.values()]
    assert list(colours)[:5] == labels and len({colours[label] for label in labels}) == 5
    assert len(draw(written, tmp_path)) == 4 and (tmp_path / "scatter.svg").stat().st_size > 5000


def test_colours_begin_again_where_there_are_more_objectives_than_colours(monkeypatch):
    names = [f"objective_{number}" for number in range(12)]
    for name in names:
        monkeypatch.setitem(OBJECTIVES, name, Objective(name, name.upper(), frozenset(), lambda *_: False))
    scores = [make(0.5, objective=name) for name in names for make in (pos, supervised, whole)]
    figure = plots.scatter(comparisons(cells_of(scores)))
    assert {key.label for key in figure.keys} >= {name.upper() for name in names}
    assert {key.colour for key in figure.keys} == {*charts.OF_OBJECTIVES, "ink"}
