"""Nearest words both ways: by hand, and against all similarities in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.embeddings import induction, retrieval
from fairseq_align.embeddings.retrieval import TOLERANCE
from tests.embeddings.test_retrieval import HUB, peak, space


def test_csls_pairs_what_the_cosine_does_not_by_hand():
    # of the hub of test_retrieval.py: cosines of x0: 0.8, 0.6; of x1: 1, 0; r(x) = 0.7, 0.5; r(y) = 0.9, 0.3
    source, target = map(space, HUB)
    of_source, of_target = induction.nearest(source, target)
    assert of_source.row.tolist() == [0, 0] and of_source.score.tolist() == pytest.approx([0.8, 1])
    assert of_target.row.tolist() == [1, 0] and induction.mutual(of_source, of_target).tolist() == [1]
    # CSLS of x0: 1.6 - 0.7 - 0.9 = 0, 1.2 - 0.7 - 0.3 = 0.2; of x1: 2 - 0.5 - 0.9 = 0.6, 0 - 0.5 - 0.3 = -0.8
    means = retrieval.mean_similarities(source, target, neighbours=2)
    of_source, of_target = induction.nearest(source, target, means)
    assert of_source.row.tolist() == [1, 0] and of_source.score.tolist() == pytest.approx([0.2, 0.6])
    assert of_target.row.tolist() == [1, 0] and induction.mutual(of_source, of_target).tolist() == [0, 1]


def plain(source: np.ndarray, target: np.ndarray, csls: bool) -> np.ndarray:
    """All scores in float64."""
    source, target = (
        side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-300) for side in (source, target)
    )
    cosines = source @ target.T
    if not csls:
        return cosines
    near = [np.sort(cosines, axis)[tuple(np.s_[-10:] if a == axis else np.s_[:] for a in (0, 1))] for axis in (1, 0)]
    return 2 * cosines - near[0].mean(1)[:, None] - near[1].mean(0)[None]


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.booleans(), st.booleans())
def test_neighbours_are_those_of_all_scores_in_float64(seed, sources, targets, block, csls, with_ties):
    rng = np.random.default_rng(seed)
    draw = (lambda size: rng.integers(-1, 2, size).astype(float)) if with_ties else rng.normal
    source, target = draw(size=(sources, 2 if with_ties else 8)), draw(size=(targets, 2 if with_ties else 8))
    scores = plain(source, target, csls)
    spaces = space(source), space(target)
    means = retrieval.mean_similarities(*spaces, block=block) if csls else None
    of_source, of_target = induction.nearest(*spaces, means, block)
    for found, expected in ((of_source, scores), (of_target, scores.T)):
        best = expected.max(1, keepdims=True)
        assert found.row.tolist() == (expected >= best - TOLERANCE / 2).argmax(1).tolist()  # of equal ones the first
        assert found.score.numpy() == pytest.approx(best[:, 0], abs=1e-6)
    rows = induction.mutual(of_source, of_target)
    assert rows.tolist() == [row for row in range(sources) if of_target.row[of_source.row[row]] == row]
    assert len(set(of_source.row[rows].tolist())) == len(rows)  # a target word is in one pair
    back = induction.mutual(of_target, of_source)
    assert sorted(of_source.row[rows].tolist()) == back.tolist()  # the same pairs from the other side


def test_memory_is_bounded_by_the_block(tmp_path):
    block, dim, words = 64, 32, 1000
    rng = np.random.default_rng(1)
    source, target = (space(rng.normal(size=(words, dim))) for _ in range(2))
    means = retrieval.mean_similarities(source, target, block=block)
    own = 2 * words * (8 + 4) + 2 * block * 64  # rows and scores of all words, and a few numbers of a block's
    most = peak(lambda: induction.nearest(source, target, means, block), tmp_path / "trace.json")
    assert most <= retrieval.memory(block, dim) + own < 4 * words * words / 10
