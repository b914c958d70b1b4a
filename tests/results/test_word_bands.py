"""The figures of P@1 by bands of words: bars by hand, seeds, models and the baseline."""

import pytest

from fairseq_align.results import word_bands
from fairseq_align.results.charts import Bar
from fairseq_align.results.report import draw, tabulate
from tests.results.scores import alignment, pos


def heldout(value, band=None, **fields):
    return alignment(value, split="heldout", band=band, **fields)


def spelling(value, band=None, **fields):
    return heldout(value, band, metric="spelling_p@1", **fields)


def study(**fields):
    yield from (heldout(0.5, n=10, **fields), heldout(0.9, "kind:name", n=4, **fields))
    yield heldout(0.2, "kind:other", n=6, **fields)
    yield from (spelling(0.4, n=10, **fields), spelling(1.0, "kind:name", n=4, **fields))
    yield spelling(0.0, "kind:other", n=6, **fields)


def bars_of(records) -> dict:
    (figure,) = word_bands.figures(records)
    (chart,) = figure.charts
    marks = {bar.y: bar for bar in chart.of(Bar)}
    found, heading = {}, ""
    for name in chart.names:
        if name.heading:
            heading = name.text
        else:
            found[heading, name.text] = marks.pop(name.y)
    assert not marks
    return found


def test_each_kind_has_a_bar_for_each_model_and_at_last_for_spelling():
    other = {"objective": "mlm", "lexicon_rate": None}
    records = [*study(seed=1), heldout(0.7, "kind:name", n=5, seed=2), *study(**other)]
    found = bars_of(records)
    models = ["MLM", "ALIGN-MLM, 50 %", "spelling alone"]
    headings = ["all words, n = 10", "names, n = 4–5", "others, n = 6"]
    assert list(found) == [(heading, model) for heading in headings for model in models]
    names = found["names, n = 4–5", "ALIGN-MLM, 50 %"]
    assert names.value == pytest.approx(80) and names.spread == pytest.approx(10 * 2**0.5) and names.colour == "red"
    assert names.tip == "ALIGN-MLM, 50 %, names: 80.0 ± 14.1 %" and names.seeds == pytest.approx((90, 70))
    baseline = found["others, n = 6", "spelling alone"]
    assert (baseline.value, baseline.spread, baseline.colour, baseline.text) == (0, None, "ink", "0.0")


def test_only_held_out_source_words_are_shown_and_mapped_or_layered_ones_are_models_of_their_own():
    others = [
        heldout(0.1, "kind:name", direction="backward"),
        alignment(0.1, band="kind:name"),
        heldout(0.1, "kind:name", metric="csls_p@1"),
        heldout(0.1, "pieces:2"),
    ]
    mapped = heldout(0.95, "kind:name", mapping="procrustes", n=4)
    found = bars_of([*study(), *others, mapped])
    assert [model for heading, model in found if heading.startswith("names")] == [
        "ALIGN-MLM, 50 %", "ALIGN-MLM, 50 %, procrustes", "spelling alone",
    ]  # fmt: skip
    assert {bar.value for bar in found.values()} == {50, 40, 90, 95, 100, 20, 0}


def test_without_bands_there_is_no_figure():
    assert not list(word_bands.figures([heldout(0.5), heldout(0.5, "pieces:2"), pos(0.5)]))
    (figure,) = word_bands.figures([*study(), heldout(0.5, lang="de"), *study(lang="tr")])
    assert [chart.title for chart in figure.charts] == ["en-x", "tr"]


def test_bands_of_frequency_are_a_figure_of_their_own_from_rare_to_frequent():
    bands = {"100-999": 0.3, "0": 0.1, "1000+": 0.4, "10-99": 0.2}
    records = [heldout(value, f"frequency:{band}", n=5) for band, value in bands.items()]
    kinds, frequencies = word_bands.figures([*study(), *records])
    assert (kinds.name, frequencies.name) == ("kinds", "frequencies")
    headings = [name.text for name in frequencies.charts[0].names if name.heading]
    assert headings == [
        "all words, n = 10", "never, n = 5", "10 to 99 times, n = 5", "100 to 999 times, n = 5",
        "1,000 and more, n = 5",
    ]  # fmt: skip
    assert [bar.value for bar in frequencies.charts[0].of(Bar)] == pytest.approx([50, 40, 10, 20, 30, 40])


def test_every_band_of_frequency_has_a_name():
    from fairseq_align.lexicon import coverage

    ends = [0, *coverage.BANDS]
    assert list(word_bands.BANDINGS["frequency"].bands) == [coverage.band(count) for count in ends]


def test_a_report_has_the_figure_and_the_table(tmp_path):
    from fairseq_align.results.records import append

    for record in study():
        append(tmp_path / "results.jsonl", record)
    made = tabulate(tmp_path / "results.jsonl", tmp_path / "out")
    header, *lines = made.tables["Alignment in detail"]
    shown = {line[header.index("words")]: [line[header.index(name)] for name in ("P@1", "spelling P@1")]
             for line in lines}  # fmt: skip
    assert shown == {"all": ["50.0", "40.0"], "kind:name": ["90.0", "100.0"], "kind:other": ["20.0", "0.0"]}
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "![P@1 by kind of word](kinds.png)" in text
    assert "P@1 by kind of word" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    pytest.importorskip("matplotlib", reason="waits for matplotlib")
    assert tmp_path / "out" / "kinds.svg" in draw(made, tmp_path / "out")


def test_panels_with_other_rows_have_names_of_their_own_and_rows_as_high_as_those_beside_them():
    pytest.importorskip("matplotlib", reason="waits for matplotlib")
    from fairseq_align.results import figures

    (figure,) = word_bands.figures([*study(), *study(lang="de")])
    first, same = figures.draw(figure).axes
    assert all(label.get_text() for label in first.get_yticklabels())
    assert not any(label.get_text() for label in same.get_yticklabels())  # those to the left of it
    (figure,) = word_bands.figures([*study(), heldout(0.1, n=7, lang="tr"), heldout(0.1, "kind:name", n=5, lang="tr")])
    first, fewer = figures.draw(figure).axes
    names = [label.get_text() for label in fewer.get_yticklabels()]
    assert names == ["all words, n = 7", "ALIGN-MLM, 50 %", "names, n = 5", "ALIGN-MLM, 50 %"]
    assert fewer.get_ylim() == first.get_ylim()
