import argparse
import csv
import json
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align import report, results
from fairseq_align.errors import InputError

RUN = {
    "lang": "en-x", "source_lang": "en", "seed": 1, "objective": "align_mlm", "derivation": "transliterate+invert",
    "lexicon_rate": 0.5, "freeze_embeddings": None, "checkpoint": "1f3a9c000000", "lexicon": None, "n": 1000,
    "versions": {"fairseq_align": "0.1.0", "torch": "2.13.0", "fairseq": "0.12.3.1"}, "date": "2025-11-22",
}  # fmt: skip


def pos(value, **fields):
    score = {"task": "pos", "metric": "accuracy", "split": "test", "value": value, "freeze_embeddings": False}
    return RUN | score | fields


def alignment(value, **fields):
    return RUN | {"task": "alignment", "metric": "p@1", "split": "seen", "value": value} | fields


def mlm(metric, value, **fields):
    return RUN | {"task": "mlm", "metric": metric, "split": "valid", "value": value} | fields


STUDY = [
    *(pos(value, seed=seed) for seed, value in enumerate([0.40, 0.44, 0.48])),
    *(pos(value, seed=seed, lang="en") for seed, value in enumerate([0.75, 0.76])),
    *(alignment(value, seed=seed, n=1000 + seed) for seed, value in enumerate([0.9, 1.0, 0.95])),
    pos(0.089, objective="mlm", lexicon_rate=None),
    pos(0.111, objective="mlm", lexicon_rate=None, freeze_embeddings=True),
]


def cells_of(records):
    return report.aggregate(report.scores_of(report.count(records)))


def table_of(records, title="Zero-shot transfer"):
    return report.tables(cells_of(records))[title]


def test_the_table_by_hand():
    # zero-shot: mean of 40, 44, 48 is 44, deviations -4, 0, 4, so sd = sqrt((16 + 16) / 2) = 4; source: 75 and 76,
    # sd = sqrt((0.25 + 0.25) / 1) = 0.71; P@1: mean of 90, 100, 95 is 95, sd = sqrt((25 + 25) / 2) = 5
    assert table_of(STUDY) == [
        ["objective", "lexicon", "seeds", "P@1 seen", "POS source", "POS zero-shot", "POS zero-shot, frozen"],
        ["MLM", "none", "1", "—", "—", "8.9", "11.1"],
        ["ALIGN-MLM", "50 %", "3", "95.0 ± 5.0", "75.5 ± 0.7 (2)", "44.0 ± 4.0", "—"],
        ["n", "", "", "1,000–1,002", "1,000", "1,000", "1,000"],
    ]


def test_what_context_gives_is_entropy_minus_loss_of_each_seed_and_language():
    records = [
        mlm("loss", 4.0), mlm("loss", 5.0, lang="en"),
        mlm("unigram_entropy", 6.0), mlm("unigram_entropy", 6.5, lang="en"),
        mlm("loss", 4.2, seed=2), mlm("loss", 5.0, lang="en", seed=2),  # of seed 2 no entropy is known
    ]  # fmt: skip
    title = ["MLM loss", "unigram entropy", "entropy − loss"]
    # seed 1: mean loss 4.5 of the two languages, seed 2: 4.6; sd = 0.1 / sqrt(2); differences 2.0 and 1.5, mean 1.75
    assert table_of(records, "Cosine and language model")[:2] == [
        ["objective", "lexicon", "seeds", *title],
        ["ALIGN-MLM", "50 %", "2", "4.55 ± 0.07", "6.25 (1)", "1.75 (1)"],
    ]
    assert table_of(records, "Each language")[:3] == [
        ["objective", "lexicon", "lang", "seeds", *title],
        ["ALIGN-MLM", "50 %", "en", "2", "5.00 ± 0.00", "6.50 (1)", "1.50 (1)"],
        ["ALIGN-MLM", "50 %", "en-x", "2", "4.10 ± 0.14", "6.00 (1)", "2.00 (1)"],
    ]


def test_a_seed_without_all_languages_is_left_out_of_their_mean(caplog):
    records = [pos(0.2, lang="de"), pos(0.4, lang="fr"), pos(0.9, lang="fr", seed=2)]
    assert table_of(records)[1:] == [["ALIGN-MLM", "50 %", "1", "30.0"], ["n", "", "", "2,000"]]
    assert "seed 2 lacks one of the languages de, fr" in caplog.text
    # and where no seed has all, there is no mean, and the languages stand for themselves
    assert "Zero-shot transfer" not in report.tables(cells_of([pos(0.2, lang="de"), pos(0.9, lang="fr", seed=2)]))


def test_rows_of_a_derivation_are_means_over_the_same_languages(caplog):
    records = [pos(0.2, lang="de"), pos(0.4, lang="fr"), pos(0.9, lang="fr", objective="mlm")]
    assert table_of(records)[1:-1] == [["ALIGN-MLM", "50 %", "1", "30.0"]]
    assert ["MLM", "50 %", "fr", "1", "90.0"] in table_of(records, "Each language")
    assert "MLM, lexicon 50 %, POS zero-shot: seed 1 lacks one of the languages de, fr" in caplog.text
    natural = [record | {"derivation": None} for record in records[:1]]
    assert table_of(natural + records[1:2])[1:-1] == [  # each derivation has its own languages
        ["none", "ALIGN-MLM", "50 %", "1", "20.0"], ["transliterate+invert", "ALIGN-MLM", "50 %", "1", "40.0"],
    ]  # fmt: skip


def test_rows_follow_derivation_objective_and_rate():
    records = [
        pos(0.5, derivation=derivation, objective=objective, lexicon_rate=rate)
        for derivation in ("transliterate+invert", "transliterate")
        for objective, rate in (("align_mlm", 1), ("align_mlm", 0.25), ("tlm", None), ("mlm", None))
    ]
    lines = table_of(records)
    assert lines[0][:3] == ["derivation", "objective", "lexicon"]
    assert [line[0] for line in lines[1:-1]] == ["transliterate"] * 4 + ["transliterate+invert"] * 4
    assert [line[1:3] for line in lines[1:5]] == [
        ["MLM", "none"], ["TLM", "none"], ["ALIGN-MLM", "25 %"], ["ALIGN-MLM", "100 %"],
    ]  # fmt: skip


def test_another_split_is_another_column():
    assert table_of([pos(0.5), pos(0.6, split="valid")])[0][3:] == ["POS zero-shot", "POS zero-shot (valid)"]


def test_a_run_repeated_with_its_seed_counts_once_and_the_log_says_so(caplog):
    assert table_of([pos(0.5), pos(0.7, checkpoint="ffffffffffff")])[1] == ["ALIGN-MLM", "50 %", "1", "70.0"]
    assert "seed 1: several checkpoints" in caplog.text


RECORDS = st.builds(
    lambda make, seed, objective, lang: make | {"seed": seed, "objective": objective, "lang": lang},
    st.sampled_from([pos(0.5), pos(0.25, freeze_embeddings=True), alignment(0.75), alignment(0.1, split="heldout"),
                     mlm("loss", 4.0), mlm("unigram_entropy", 6.0)]),
    st.integers(0, 3),
    st.sampled_from(results.OBJECTIVES),
    st.sampled_from(["en", "en-x", "de"]),
)  # fmt: skip
DISTINCT = st.lists(RECORDS, min_size=1, max_size=40, unique_by=results.question)


@settings(deadline=None)
@given(DISTINCT.flatmap(lambda records: st.tuples(st.just(records), st.permutations(records))))
def test_the_order_of_scores_does_not_matter(both):
    first, second = map(cells_of, both)
    assert list(first.items()) == list(second.items())


@settings(deadline=None)
@given(DISTINCT, st.data())
def test_superseded_scores_do_not_matter(records, data):
    earlier = [record | {"value": 0.0, "n": 7, "date": "2024-01-01"} for record in data.draw(st.permutations(records))]
    assert cells_of(earlier + records) == cells_of(records)


@settings(deadline=None)
@given(DISTINCT)
def test_a_table_is_rectangular_and_padded(records):
    for lines in report.tables(cells_of(records)).values():
        assert len({len(line) for line in lines}) == 1
        assert len({len(line) for line in report.markdown_table(lines).split("\n")}) == 1


def test_markdown_reads_well_raw():
    assert report.markdown_table(table_of(STUDY[:3])) == (
        "| objective | lexicon | seeds | POS zero-shot |\n"
        "| --------- | ------: | ----: | ------------: |\n"
        "| ALIGN-MLM |    50 % |     3 |    44.0 ± 4.0 |\n"
        "| n         |         |       |         1,000 |"
    )


def test_every_counted_score_has_its_signature_in_the_report():
    text = report.to_markdown(cells_of(STUDY), report.count(STUDY))
    assert [text.count(results.signature(record)) for record in STUDY] == [1] * len(STUDY)
    assert "Scored on en-x: P@1 seen; POS zero-shot; POS zero-shot, frozen." in text
    assert "MLM loss" not in text  # the legend tells only of what is there


def test_csv_holds_unrounded_cells():
    lines = list(csv.DictReader(report.to_csv(cells_of(STUDY)).splitlines()))
    assert lines[0] == {
        "derivation": "transliterate+invert", "objective": "mlm", "lexicon_rate": "", "score": "POS zero-shot",
        "split": "test", "lang": "", "mean": "0.089", "sd": "", "seeds": "1", "n": "1000",
    }  # fmt: skip
    (zero_shot,) = (line for line in lines if line["score"] == "POS zero-shot" and line["objective"] == "align_mlm")
    assert float(zero_shot["mean"]) == pytest.approx(0.44) and float(zero_shot["sd"]) == pytest.approx(0.04)
    assert zero_shot["seeds"] == "0 1 2" and zero_shot["n"] == "1000 1000 1000"


def write_results(path, records=STUDY):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


draws = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="waits for matplotlib: pip install fairseq_align[plot]"
)


def run(path, folder):
    """The command as ``fairseq-align report`` runs it."""
    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", str(path), "--out", str(folder)])
    return args.func(args)


@draws
def test_the_command_writes_table_csv_and_figure(tmp_path, capsys):
    assert run(write_results(tmp_path / "results.jsonl"), tmp_path / "out") == 0
    assert "| ALIGN-MLM |    50 % |     3 |  95.0 ± 5.0 | 75.5 ± 0.7 (2) |    44.0 ± 4.0 |" in capsys.readouterr().out
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["report.csv", "report.md", "report.png"]
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")


@draws
@pytest.mark.parametrize("records", [STUDY[:1], STUDY[5:8], [mlm("loss", 4.0)]], ids=["one seed", "no POS", "neither"])
def test_the_figure_is_drawn_whatever_is_missing(tmp_path, records):
    assert run(write_results(tmp_path / "results.jsonl", records), tmp_path) == 0
    assert (tmp_path / "report.png").stat().st_size > 5000


@draws
def test_the_report_is_the_same_each_time(tmp_path):
    path = write_results(tmp_path / "results.jsonl")
    run(path, tmp_path / "a")
    run(path, tmp_path / "b")
    for name in ("report.md", "report.csv", "report.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_matplotlib_the_tables_are_there_and_the_advice_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"report.png: found no matplotlib.*pip install fairseq_align\[plot\]"):
        run(write_results(tmp_path / "results.jsonl"), tmp_path)
    assert "44.0 ± 4.0" in capsys.readouterr().out
    assert "44.0 ± 4.0" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.part"))


def test_no_scores_are_an_error(tmp_path):
    path = write_results(tmp_path / "results.jsonl", [])
    with pytest.raises(InputError, match="results.jsonl: found no scores, expected at least one line; run"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
