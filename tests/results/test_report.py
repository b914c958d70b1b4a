import argparse
import csv
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.results import aggregate as cells
from fairseq_align.results import comparison, curves, paper, report
from fairseq_align.results import records as results
from fairseq_align.results.correlation import spearman

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
    return cells.aggregate(cells.scores_of(cells.count(records)))


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


def test_the_papers_points_are_named_like_ours():
    names = {row.derivation for row in comparison.paper_points("pos").rows}
    assert names == {"transliterate", "transliterate+invert", "syntax+transliterate"}


def test_a_variant_has_a_row_of_its_own_and_no_figures_of_the_paper():
    lines = table_of([pos(0.5), pos(0.6, variant="contrastive")])
    assert [line[0] for line in lines[1:-1]] == ["ALIGN-MLM", "ALIGN-MLM contrastive"]
    plain, contrastive = (cells.row_of(pos(0.5, variant=variant)) for variant in (None, "contrastive"))
    assert paper.figures(*plain) and not paper.figures(*contrastive)


def test_retrieval_of_sentences_does_not_disturb_the_table():
    retrieval = RUN | {"task": "retrieval", "metric": "accuracy", "split": "test", "value": 0.5}
    assert table_of(cells.shown([*STUDY, retrieval])) == table_of(STUDY)


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
    text = report.to_markdown(cells_of(STUDY), cells.count(STUDY))
    assert [text.count(results.signature(record)) for record in STUDY] == [1] * len(STUDY)
    assert "Scored on en-x: P@1 seen; POS zero-shot; POS zero-shot, frozen." in text
    assert "MLM loss" not in text  # the legend tells only of what is there


def test_csv_holds_unrounded_cells():
    lines = list(csv.DictReader(report.to_csv(cells_of(STUDY)).splitlines()))
    assert lines[0] == {
        "derivation": "transliterate+invert", "objective": "mlm", "lexicon_rate": "", "variant": "",
        "score": "POS zero-shot", "split": "test", "lang": "", "mean": "0.089", "sd": "", "seeds": "1", "n": "1000",
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


def run(path, folder, *more):
    """The command as ``fairseq-align report`` runs it."""
    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", str(path), "--out", str(folder), *more])
    return args.func(args)


FIGURES = {f"{name}.{suffix}" for name in ("report", "scatter") for suffix in ("png", "svg")}


@draws
def test_the_command_writes_tables_and_figures(tmp_path, capsys):
    assert run(write_results(tmp_path / "results.jsonl"), tmp_path / "out") == 0
    assert "| ALIGN-MLM |    50 % |     3 |  95.0 ± 5.0 | 75.5 ± 0.7 (2) |    44.0 ± 4.0 |" in capsys.readouterr().out
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"report.csv", "report.md", "report.tex"} | FIGURES
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
    for name in {"report.md", "report.csv", "report.tex"} | FIGURES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_matplotlib_the_tables_are_there_and_the_advice_is_given(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(
        sys.modules, "fairseq_align.results.figures", raising=False
    )  # an earlier test may have loaded it
    monkeypatch.delattr("fairseq_align.results.figures", raising=False)
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


# beside the paper


def supervised(value, **fields):
    return pos(value, source_lang="en-x", **fields)


def test_gap_is_zero_shot_minus_supervised_of_the_same_seed():
    # seeds 1 and 2: 40 - 90 = -50 and 44 - 88 = -44, mean -47, sd 6 / sqrt(2) = 4.2; seed 3 has no supervised score
    records = [pos(0.40), pos(0.44, seed=2), pos(0.3, seed=3), supervised(0.90), supervised(0.88, seed=2)]
    assert table_of(records)[:2] == [
        ["objective", "lexicon", "seeds", "POS supervised", "POS zero-shot", "POS gap"],
        ["ALIGN-MLM", "50 %", "3", "89.0 ± 1.4 (2)", "38.0 ± 7.2", "-47.0 ± 4.2 (2)"],
    ]


def test_the_table_stands_beside_the_papers_where_the_paper_has_the_row():
    records = [pos(0.40), supervised(0.90), alignment(0.99), pos(0.3, freeze_embeddings=True), pos(0.5, lexicon_rate=1)]
    assert table_of(records, "Beside the paper") == [
        ["task", "derivation", "objective", "lexicon", "seeds", "B_S", "B_Z", "gap", "P@1 seen"]
        + ["paper's B_S", "paper's B_Z", "paper's gap", "paper's alignment"],
        ["POS", "transliterate+invert", "ALIGN-MLM", "50 %", "1", "90.0", "40.0", "-50.0", "99.0"]
        + ["95.0", "92.0", "-3.0", "95.2"],
        ["POS", "transliterate+invert", "ALIGN-MLM", "100 %", "1", "—", "50.0", "—", "—", *["—"] * 4],
        ["POS, frozen", "transliterate+invert", "ALIGN-MLM", "50 %", "1", "—", "30.0", "—", "99.0", *["—"] * 4],
    ]  # fmt: skip


def test_a_model_tuned_on_the_target_is_told_from_the_source_in_any_order():
    both_ways = [pos(0.4), pos(0.8, lang="en"), supervised(0.9), supervised(0.7, lang="en"), alignment(1.0)]
    for records in (both_ways, both_ways[::-1]):
        assert table_of(records)[0][4:] == ["POS source", "POS supervised", "POS zero-shot", "POS gap", "POS reverse"]


@pytest.mark.parametrize(("task", "rho"), [("xnli", 0.727), ("ner", 0.781), ("pos", 0.734)])
def test_the_papers_points_give_its_correlations(task, rho):
    found = comparison.paper_points(task).correlation
    assert round(found.rho, 3) == rho and found.n == 12
    assert found.low < rho < found.high and found.p < 0.02  # the paper: p < .01 for XNLI, of a t-test


def test_the_rounded_table_ties_two_gaps_that_the_paper_had_apart():
    rounded = [round(figures.pos.zero_shot - figures.pos.supervised, 1) for figures in paper.FIGURES.values()]
    alignment = [figures.alignment for figures in paper.FIGURES.values()]
    assert round(spearman(alignment, rounded).rho, 3) == 0.715
    for figures in paper.FIGURES.values():
        for task in paper.TASKS:
            supervised, zero_shot, gap = getattr(figures, task)
            assert gap == pytest.approx(zero_shot - supervised, abs=0.11)


def test_correlation_by_hand():
    # ranks 1 2 3 4 and 1 2 4 3: rho = 1 - 6 * 2 / (4 * 15) = 0.8; of 24 orders, 4 have rho >= 0.8 and 4 rho <= -0.8
    found = spearman([1, 2, 3, 4], [10, 20, 40, 30])
    assert found.rho == pytest.approx(0.8) and found.p == pytest.approx(8 / 24)
    assert spearman([1, 2, 3], [1, 2, 3]) is None and spearman([1, 2, 3, 4], [5, 5, 5, 5]) is None


def test_points_are_models_and_gaps_to_the_source_where_nothing_is_supervised():
    records = [pos(0.4), pos(0.5, seed=2), pos(0.9, lang="en"), pos(0.8, lang="en", seed=2)]
    records += [alignment(0.99), alignment(0.97, seed=2)]
    points = comparison.points(comparison.comparisons(cells_of(records)), "POS")
    assert points.reference == "source" and points.alignment == pytest.approx([99, 97])
    assert points.gap == pytest.approx([-50, -30])
    points = comparison.points(comparison.comparisons(cells_of([*records, supervised(0.95, seed=2)])), "POS")
    assert points.reference == "B_S" and points.gap == pytest.approx([-45]) and points.alignment == pytest.approx([97])


def test_alignment_in_detail_has_a_line_for_all_that_was_compared():
    about = {"n": 90, "oov": 10, "ties": 0}
    records = [
        alignment(0.5, **about), alignment(0.75, metric="csls_p@1", **about | {"ties": 3}),
        alignment(0.25, direction="backward", band="frequency:10-99", layer=2, mapping="procrustes", split="heldout"),
    ]  # fmt: skip
    header, *lines = report.detail_table(records, {"p@1": "P@1", "csls_p@1": "CSLS P@1"})
    assert header[3:] == ["lang", "vectors", "asked", "pairs", "words", "seeds", "P@1", "CSLS P@1", "n", "ties", "OOV"]
    assert [line[3:] for line in lines] == [
        ["en-x", "embeddings", "source", "seen", "all", "1", "50.0", "75.0", "90", "0–3", "10"],
        ["en-x", "layer 2, procrustes", "target", "held-out", "frequency:10-99", "1", "25.0", "—", "1,000", "—", "—"],
    ]


def test_latex_has_the_table_with_its_characters_escaped():
    text = report.latex_table("A & B", [["objective", "seeds"], ["a_b", "5 %"], ["—", "1 ± 2"]])
    assert r"\caption{A \& B}" in text and r"\begin{tabular}{lr}" in text
    assert "a\\_b & 5 \\% \\\\" in text and r"-- & 1 $\pm$ 2 \\" in text


LOGS = {
    "simple": "26 | INFO | train_inner | epoch 001: 10 / 99 loss=-7.1, mlm_loss=7.5, align_cos=0.25, num_updates=10\n"
    "2026 | INFO | train_inner | epoch 001:    20 / 99 mlm_loss=7.25, align_cos=0.5, num_updates=20, lr=1e-05\n",
    "json": '2026 | INFO | train_inner | {"epoch": 1, "mlm_loss": "7.5", "align_cos": "0.25", "num_updates": "10"}\n'
    '2026 | INFO | train_inner | {"epoch": 1, "mlm_loss": "7.25", "align_cos": "0.5", "num_updates": "20"}\n',
}


@pytest.mark.parametrize("kind", LOGS)
def test_learning_curves_are_read_from_both_kinds_of_log(tmp_path, kind):
    (tmp_path / "train.log").write_text("2026 | INFO | fairseq_cli.train | {...}\n" + LOGS[kind])
    assert curves.read(tmp_path / "train.log") == {
        "mlm_loss": ([10, 20], [7.5, 7.25]), "align_cos": ([10, 20], [0.25, 0.5]),
    }  # fmt: skip


def test_a_log_without_training_is_an_error(tmp_path):
    (tmp_path / "train.log").write_text("nothing\n")
    with pytest.raises(
        InputError, match="train.log: found no train_inner line with mlm_loss or align_cos, expected a log"
    ):
        curves.read(tmp_path / "train.log")
    with pytest.raises(InputError, match="none.log: found .*No such file.*, expected a log of fairseq-train"):
        curves.read(tmp_path / "none.log")


def test_logs_are_named_by_what_tells_them_apart(tmp_path):
    paths = [tmp_path / "runs" / name / "pretrain" / "train.log" for name in ("mlm-1", "align-1")]
    assert curves.names(paths) == ["mlm-1", "align-1"] and curves.names(paths[:1]) == ["mlm-1/pretrain"]


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
