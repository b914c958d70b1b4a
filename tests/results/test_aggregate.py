from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.results import aggregate
from tests.results.scores import DISTINCT, RUN, STUDY, alignment, cells_of, mlm, pos, supervised, table_of, tables_of


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
    assert "Zero-shot transfer" not in tables_of(cells_of([pos(0.2, lang="de"), pos(0.9, lang="fr", seed=2)]))


def test_rows_of_a_derivation_are_means_over_the_same_languages(caplog):
    records = [pos(0.2, lang="de"), pos(0.4, lang="fr"), pos(0.9, lang="fr", objective="mlm")]
    assert table_of(records)[1:-1] == [["ALIGN-MLM", "50 %", "1", "30.0"]]
    assert ["MLM", "none", "fr", "1", "90.0"] in table_of(records, "Each language")
    assert "MLM, lexicon none, POS zero-shot: seed 1 lacks one of the languages de, fr" in caplog.text
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


def test_what_was_trained_without_a_lexicon_has_no_rate_of_it():
    """A recorded rate is then that of the lexicon that the model was scored on; a variant may name what was trained."""
    trained = {"mlm": "none", "tlm": "none", "dict_mlm": "50 %", "align_mlm": "50 %"}
    rows = [aggregate.row_of(pos(0.5, objective=name)) for name in trained]
    assert [row.lexicon for row in rows] == list(trained.values())
    assert [row.label for row in rows] == ["MLM", "TLM", "DICT-MLM, 50 %", "ALIGN-MLM, 50 %"]
    assert aggregate.row_of(pos(0.5, objective="tlm", variant="+align_mlm-rate-0.1")).lexicon == "50 %"
    assert aggregate.row_of(pos(0.5, objective="tlm", variant="rate-0.1")).lexicon == "none"


def test_retrieval_of_sentences_does_not_disturb_the_table():
    retrieval = RUN | {"task": "retrieval", "metric": "accuracy", "split": "test", "value": 0.5}
    assert table_of(aggregate.shown([*STUDY, retrieval])) == table_of(STUDY)


def test_another_split_is_another_column():
    assert table_of([pos(0.5), pos(0.6, split="valid")])[0][3:] == ["POS zero-shot", "POS zero-shot (valid)"]


def test_a_run_repeated_with_its_seed_counts_once_and_the_log_says_so(caplog):
    assert table_of([pos(0.5), pos(0.7, checkpoint="ffffffffffff")])[1] == ["ALIGN-MLM", "50 %", "1", "70.0"]
    assert "seed 1: several checkpoints" in caplog.text


def test_gap_is_zero_shot_minus_supervised_of_the_same_seed():
    # seeds 1 and 2: 40 - 90 = -50 and 44 - 88 = -44, mean -47, sd 6 / sqrt(2) = 4.2; seed 3 has no supervised score
    records = [pos(0.40), pos(0.44, seed=2), pos(0.3, seed=3), supervised(0.90), supervised(0.88, seed=2)]
    assert table_of(records)[:2] == [
        ["objective", "lexicon", "seeds", "POS supervised", "POS zero-shot", "POS gap"],
        ["ALIGN-MLM", "50 %", "3", "89.0 ± 1.4 (2)", "38.0 ± 7.2", "-47.0 ± 4.2 (2)"],
    ]


def test_a_model_tuned_on_the_target_is_told_from_the_source_in_any_order():
    both_ways = [pos(0.4), pos(0.8, lang="en"), supervised(0.9), supervised(0.7, lang="en"), alignment(1.0)]
    for records in (both_ways, both_ways[::-1]):
        assert table_of(records)[0][4:] == ["POS source", "POS supervised", "POS zero-shot", "POS gap", "POS reverse"]


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
