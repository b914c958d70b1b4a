import pytest

from fairseq_align.results import aggregate, comparison, paper
from fairseq_align.results.correlation import spearman
from tests.results.scores import alignment, cells_of, pos, supervised, table_of, whole


def test_the_papers_points_are_named_like_ours():
    names = {row.derivation for row in comparison.paper_points("pos").rows}
    assert names == {"transliterate", "transliterate+invert", "syntax+transliterate"}


def test_a_variant_has_a_row_of_its_own_and_no_figures_of_the_paper():
    lines = table_of([pos(0.5), pos(0.6, variant="contrastive")])
    assert [line[0] for line in lines[1:-1]] == ["ALIGN-MLM", "ALIGN-MLM contrastive"]
    plain, contrastive = (aggregate.row_of(pos(0.5, variant=variant)) for variant in (None, "contrastive"))
    assert paper.figures(*plain) and not paper.figures(*contrastive)


def test_the_table_stands_beside_the_papers_where_the_paper_has_the_row():
    records = [pos(0.40), supervised(0.90), whole(0.99), pos(0.3, freeze_embeddings=True), pos(0.5, lexicon_rate=1)]
    records += [alignment(1.0), alignment(1.0, lexicon_rate=1)]  # seen: not what the paper measures
    assert table_of(records, "Beside the paper") == [
        ["task", "derivation", "objective", "lexicon", "seeds", "B_S", "B_Z", "gap", "P@1 whole"]
        + ["paper's B_S", "paper's B_Z", "paper's gap", "paper's alignment"],
        ["POS", "transliterate+invert", "ALIGN-MLM", "50 %", "1", "90.0", "40.0", "-50.0", "99.0"]
        + ["95.0", "92.0", "-3.0", "95.2"],
        ["POS", "transliterate+invert", "ALIGN-MLM", "100 %", "1", "—", "50.0", "—", "—", *["—"] * 4],
        ["POS, frozen", "transliterate+invert", "ALIGN-MLM", "50 %", "1", "—", "30.0", "—", "99.0", *["—"] * 4],
    ]  # fmt: skip


@pytest.mark.parametrize(("task", "rho"), [("xnli", 0.727), ("ner", 0.781), ("pos", 0.734)])
def test_the_papers_points_give_its_correlations(task, rho):
    found = comparison.paper_points(task).correlation
    assert round(found.rho, 3) == rho and found.n == 12
    assert found.low < rho < found.high and found.p < 0.02  # the paper: p < .01 for XNLI, of a t-test


def test_the_rounded_table_ties_two_gaps_that_the_paper_had_apart():
    of_pos = [figures.transfer["pos"] for figures in paper.FIGURES.values()]
    rounded = [round(transfer.zero_shot - transfer.supervised, 1) for transfer in of_pos]
    alignment_scores = [figures.alignment for figures in paper.FIGURES.values()]
    assert round(spearman(alignment_scores, rounded).rho, 3) == 0.715
    for figures in paper.FIGURES.values():
        for transfer in figures.transfer.values():
            assert transfer.gap == pytest.approx(transfer.zero_shot - transfer.supervised, abs=0.11)


def test_correlation_by_hand():
    # ranks 1 2 3 4 and 1 2 4 3: rho = 1 - 6 * 2 / (4 * 15) = 0.8; of 24 orders, 4 have rho >= 0.8 and 4 rho <= -0.8
    found = spearman([1, 2, 3, 4], [10, 20, 40, 30])
    assert found.rho == pytest.approx(0.8) and found.p == pytest.approx(8 / 24)
    assert spearman([1, 2, 3], [1, 2, 3]) is None and spearman([1, 2, 3, 4], [5, 5, 5, 5]) is None


def test_points_are_models_and_gaps_to_the_source_where_nothing_is_supervised():
    records = [pos(0.4), pos(0.5, seed=2), pos(0.9, lang="en"), pos(0.8, lang="en", seed=2)]
    records += [whole(0.99), whole(0.97, seed=2), alignment(1.0), alignment(1.0, seed=2)]
    points = comparison.points(comparison.comparisons(cells_of(records)), "POS")
    assert points.reference == "source" and points.alignment == pytest.approx([99, 97])
    assert points.gap == pytest.approx([-50, -30])
    points = comparison.points(comparison.comparisons(cells_of([*records, supervised(0.95, seed=2)])), "POS")
    assert points.reference == "B_S" and points.gap == pytest.approx([-45]) and points.alignment == pytest.approx([97])


def test_rows_without_the_papers_measure_are_named_and_not_correlated():
    records = [make(0.2 * seed, seed=seed) for seed in range(1, 5) for make in (pos, alignment)]
    records += [supervised(0.9, seed=seed) for seed in range(1, 5)]
    ours, _, without = comparison.correlation_lines(comparison.comparisons(cells_of(records)))
    assert ours.startswith("POS, B_Z − B_S: 0 models with P@1 whole, too few")
    assert without.startswith("Without P@1 whole")
    assert without.endswith("transliterate+invert, ALIGN-MLM, lexicon 50 %.")
    records += [whole(0.1 * seed, seed=seed) for seed in range(1, 5)]
    ours, papers = comparison.correlation_lines(comparison.comparisons(cells_of(records)))
    assert ours.startswith("POS, B_Z − B_S: ρ = 1.000") and papers.startswith("POS, the paper's")
