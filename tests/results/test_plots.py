import json

import pytest

from fairseq_align.results import charts, curves, plots, report
from fairseq_align.results.charts import Bar, Dot, Line
from fairseq_align.results.comparison import comparisons
from tests.results.scores import RUN, alignment, cells_of, mlm, pos, supervised, whole

SETTINGS = "2026 | INFO | fairseq_cli.train | {'criterion': {'_name': 'align_mlm', 'align_weight': %s}, 'seed': 1}\n"


def log(heldout: list[float], weight: float = 10.0) -> str:
    """A log of an update a line, validated every second one; an update has 100 tokens, from the third on 200."""
    text = SETTINGS % weight
    for update, score in enumerate(heldout, 1):
        tokens = 100 if update < 3 else 200
        text += (
            f"2026 | INFO | train_inner | epoch 001: 1 / 9 mlm_loss={9 - update}, wpb={tokens}, num_updates={update}\n"
        )
        if update % 2 == 0:
            text += f"2026 | INFO | valid_en | epoch 001 | valid on 'valid_en' subset | loss 1 | heldout_p1 {score} | "
            text += f"whole_p1 0.5 | ppl 8 | num_updates {update}\n"
    return text


def cell(folder, name, text, **fields):
    """What a recipe leaves of a run: its log, and its scores beside the folder of the log."""
    path = folder / "runs" / name / "pretrain" / "train.log"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    if fields:
        record = RUN | {"task": "mlm", "metric": "loss", "split": "valid", "value": 4.0} | fields
        path.parent.with_suffix(".jsonl").write_text(json.dumps(record) + "\n")
    return path


def test_alignment_is_drawn_by_tokens_with_its_spread_over_seeds(tmp_path):
    cell(tmp_path, "align-0.5-1", log([0, 0.1, 0, 0.3]), seed=1)
    cell(tmp_path, "align-0.5-2", log([0, 0.2, 0, 0.7]), seed=2)
    cell(tmp_path, "mlm-0.5-1", log([0, 0.0, 0, 0.01], weight=0), objective="mlm")
    runs = curves.read_beside([tmp_path / "results.jsonl"]).values()
    figure = plots.alignment_curves(runs)
    assert [chart.title for chart in figure.charts] == ["P@1 whole", "P@1 held-out"]  # what was logged
    plain, aligned = figure.charts[1].of(Line)
    assert (plain.label, plain.colour, plain.low) == ("MLM", "grey", ()) and figure.charts[1].labelled
    assert (aligned.label, aligned.colour) == ("ALIGN-MLM, 50 %", "red")
    assert aligned.xs == (200, 600)  # 100 + 100 tokens, and 200 + 200
    assert aligned.ys == pytest.approx([15, 50])
    sd = [5 * 2**0.5, 20 * 2**0.5]  # of 10 and 20, of 30 and 70
    assert aligned.low == pytest.approx([15 - sd[0], 50 - sd[1]]) and aligned.high == pytest.approx(
        [15 + sd[0], 50 + sd[1]]
    )
    assert aligned.tips[1] == "ALIGN-MLM, 50 %: 50.0 % after 600 tokens"
    (loss,) = plots.learning_curves(runs).charts
    assert [line.ys for line in loss.of(Line)] == [(8, 7, 6, 5)] * 2 and loss.x.label == "updates"


def test_logs_beside_results_are_found_and_those_without_curves_left_out(tmp_path):
    cell(tmp_path, "a-1", log([0.5] * 2), objective="mlm")
    cell(tmp_path, "b-1", SETTINGS % 0)
    (tmp_path / "results.jsonl").write_text(json.dumps(pos(0.5)) + "\n")
    made = report.tabulate(tmp_path / "results.jsonl", tmp_path / "report")
    assert list(made.curves) == ["a-1/pretrain"] and [f.name for f in made.figures][2:] == [
        "alignment-curves",
        "curves",
    ]
    assert "MLM: 8.000 bits a masked token after 1 updates" in (tmp_path / "report" / "report.html").read_text()
    assert not report.tabulate(tmp_path / "results.jsonl", tmp_path / "report", logs=[]).curves


def test_a_run_without_scores_has_the_name_of_its_log_and_the_colour_of_its_objective(tmp_path):
    paths = [
        cell(tmp_path, name, log([0.5] * 2, weight)) for name, weight in (("one-1", 0), ("one-2", 0), ("two-1", 10.0))
    ]
    (chart,) = plots.learning_curves(curves.read_all(paths).values()).charts
    assert [(line.label, line.colour) for line in chart.of(Line)] == [("one", "grey"), ("two", "red")]


def test_a_value_that_cannot_be_drawn_is_a_gap(tmp_path):
    values = {1: "7", 2: "nan", 3: "1e300", 4: "x", 5: "2"}
    lines = (f"| train_inner | mlm_loss={value}, num_updates={update}\n" for update, value in values.items())
    (tmp_path / "train.log").write_text("".join(lines))
    (chart,) = plots.learning_curves(curves.read_all([tmp_path / "train.log"]).values()).charts
    assert [(line.xs, line.ys) for line in chart.of(Line)] == [((1, 5), (7, 2))]


def test_json_logs_and_several_pairs_of_languages_are_read(tmp_path):
    scores = {"epoch": 1, "valid_en-x_heldout_p1_en-fr": "0.2", "valid_en-x_heldout_p1_en-ar": "0.4"}
    line = json.dumps(scores | {"valid_en-x_num_updates": "7"})
    (tmp_path / "train.log").write_text(f"2026 | INFO | valid_en-x | {line}\n")
    assert curves.read(tmp_path / "train.log") == {"heldout_p1": ([7], [pytest.approx(0.3)])}


def test_a_colour_means_one_objective_in_every_panel(tmp_path):
    names = {"mlm": "grey", "tlm": "sky", "dict_mlm": "orange", "align_mlm": "red"}
    makes = (pos, supervised, whole, alignment, lambda value, **fields: mlm("loss", 4.0, **fields))
    records = [make(0.5, objective=name) for name in names for make in makes]
    cells = cells_of(records)
    for name, weight in (("mlm", 0), ("align_mlm", 10.0)):
        cell(tmp_path, f"{name}-1", log([0.5] * 4, weight), objective=name)
    runs = curves.read_beside([tmp_path / "results.jsonl"]).values()
    for figure in report._figures(cells, comparisons(cells), list(runs), []):
        for chart in figure.charts:
            for mark in chart.marks:
                label = mark.label if isinstance(mark, Line) else mark.tip
                (objective,) = (name for name in names if label.startswith(charts.OBJECTIVES[name].label))
                assert isinstance(mark, (Bar, Dot, Line)) and mark.colour == names[objective]
