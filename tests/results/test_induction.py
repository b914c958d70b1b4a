"""The figure of induced dictionaries: points by hand, seeds, models and baselines."""

import pytest

from fairseq_align.results import induction
from fairseq_align.results import records as results
from fairseq_align.results.report import draw, tabulate
from tests.results.scores import RUN, pos


def score(metric, value, n, **fields):
    return RUN | {"task": "induction", "metric": metric, "split": "heldout", "value": value, "n": n} | fields


def study(precisions, coverage, **fields):
    """Of 20 words: precision of each 5 %, of all answers, and the baselines."""
    for number, value in enumerate(precisions, 1):
        yield score("precision", value, number, band=f"coverage:{0.05 * number:.3g}", **fields)
        yield score("spelling_precision", 0.25, number, band=f"coverage:{0.05 * number:.3g}", **fields)
        yield score("score", 1 - number / 10, number, band=f"coverage:{0.05 * number:.3g}", **fields)
    yield score("precision", precisions[-1], round(20 * coverage), **fields)
    yield score("coverage", coverage, 20, **fields)
    yield score("spelling_coverage", 0.1, 20, **fields)
    yield score("chance", 0.01, 20, **fields)


SEEDS = [*study([1.0, 0.5], 0.1, seed=1), *study([0.8, 0.4, 0.2], 0.15, seed=2, checkpoint="2" * 12)]


def lines_of(records) -> dict:
    (chart,) = induction.precision_curves(records).charts
    return {mark.label: mark for mark in chart.marks}


def test_lines_are_means_over_the_seeds_where_all_have_points():
    lines = lines_of(SEEDS)
    assert list(lines) == ["ALIGN-MLM, 50 %", "spelling alone", "chance"]
    ours = lines["ALIGN-MLM, 50 %"]
    assert ours.xs == (5.0, 10.0) and ours.ys == pytest.approx((90, 45))  # 15 % only one seed has
    assert ours.high == pytest.approx((90 + 14.142136, 45 + 7.071068))  # (1.0 - 0.8) / sqrt(2), (0.5 - 0.4) / sqrt(2)
    assert lines["spelling alone"].xs == (5, 10) and set(lines["spelling alone"].ys) == {25}
    assert (lines["chance"].xs, lines["chance"].ys) == ((0, 10), (1, 1))
    assert ours.tips[0] == "ALIGN-MLM, 50 %: 90.0 % right of the best 5.0 %" and not lines["chance"].low


def test_what_an_earlier_scoring_has_beyond_the_last_one_is_left_out():
    earlier = [*study([0.5, 0.5, 0.5, 0.5], 0.2)]
    assert lines_of([*earlier, *study([1.0, 0.5], 0.1)])["ALIGN-MLM, 50 %"].ys == (100, 50)
    other = [record | {"checkpoint": "3" * 12} for record in study([0.75, 0.5], 0.1)]  # the same seed, trained again
    assert lines_of([*earlier, *other])["ALIGN-MLM, 50 %"].ys == (75, 50)


def test_models_of_one_objective_are_told_apart_and_languages_have_panels():
    records = [*SEEDS, *study([0.5, 0.5], 0.1, variant="wide"), *study([0.5], 0.05, objective="mlm", lexicon_rate=None)]
    lines = lines_of(records)
    assert {"MLM", "ALIGN-MLM, 50 %", "ALIGN-MLM wide, 50 %"} < set(lines)
    drawn = [(line.colour, line.dash) for line in lines.values()]
    assert len(set(drawn)) == len(drawn) == 5
    figure = induction.precision_curves([*records, *study([0.5], 0.05, lang="de")])
    assert [chart.title for chart in figure.charts] == ["en-x", "de"]
    assert figure.charts[0].note == "transliterate+invert; n = 20" and figure.charts[1].x.high == 5
    assert [key.label for key in figure.keys] == list(lines)
    assert induction.precision_curves([pos(0.5)]) is None


def test_what_was_compared_in_another_way_is_a_line_of_its_own():
    how = {"similarity": "csls"}
    records = [*study([0.5, 0.5], 0.1, **how), *study([0.4, 0.4], 0.1, similarity="cosine")]
    records += [*study([0.3, 0.3, 0.3], 0.15, **how, pairing="one-way")]
    lines = lines_of(records)
    spelt = ["spelling alone", "spelling alone, one-way"]
    assert set(lines) == {
        "ALIGN-MLM, 50 %", "ALIGN-MLM, 50 %, cosine", "ALIGN-MLM, 50 %, one-way", *spelt, "chance",
    }  # fmt: skip
    assert lines["ALIGN-MLM, 50 %"].ys == (50, 50) and lines["ALIGN-MLM, 50 %, one-way"].ys == (30, 30, 30)
    assert lines["spelling alone"].dash != lines["spelling alone, one-way"].dash


def test_pairs_of_two_lexicons_are_not_mixed():
    first = [*study([0.5] * 4, 0.2, lexicon="a" * 12)]
    lines = lines_of([*first, *study([1.0, 0.5], 0.1, lexicon="b" * 12)])
    assert lines["ALIGN-MLM, 50 %"].ys == (100, 50) and lines["spelling alone"].xs == (5, 10)


def test_a_model_without_answers_has_no_line():
    records = [score("coverage", 0, 20), score("spelling_coverage", 0, 20), score("chance", 0.01, 20)]
    assert list(lines_of(records)) == ["chance"]


@pytest.mark.parametrize("others", [[], [pos(0.5)]], ids=["alone", "beside a tagger"])
def test_the_report_has_a_table_and_the_figure(tmp_path, others):
    pytest.importorskip("matplotlib", reason="waits for matplotlib: bash install.sh brings it")
    for record in [*SEEDS, *others]:
        results.append(tmp_path / "results.jsonl", record)
    made = tabulate(tmp_path / "results.jsonl", tmp_path / "out")
    header, *lines = made.tables["Induced dictionary"]
    names = ["words", "seeds", "precision", "spelling", "chance", "coverage", "spelling coverage", "least score"]
    assert header[7:15] == names
    bands = {line[7]: line[8:14] for line in lines}
    assert bands["coverage:0.05"][:2] == ["2", "90.0 ± 14.1"] and bands["all"][3] == "1.0 ± 0.0"
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "![Precision of induced dictionaries](induction.png)" in text
    assert ("![Bars" in text) == bool(others) == any(figure.name == "report" for figure in made.figures)
    assert "Precision of induced dictionaries" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert tmp_path / "out" / "induction.svg" in draw(made, tmp_path / "out")
