"""Measures of likeness in shape: by hand, and that they see no rotation; occurrences of words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.embeddings import isomorphism
from fairseq_align.lexicon.frequency import occurrences
from fairseq_align.lexicon.words import Words


def at(*degrees) -> np.ndarray:
    """Unit vectors at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_eigenvectors_by_hand():
    # nearest neighbours make a path 0-10-18-24, whose Laplacian has the eigenvalues 2 + sqrt(2), 2, 2 - sqrt(2), 0, and
    # two separate edges: 2, 2, 0, 0. Of both, two hold more than 90 %: sqrt(2) ** 2 + 0 = 2
    assert isomorphism.eigenvector_similarity(at(0, 10, 18, 24), at(0, 5, 90, 95), neighbours=1) == pytest.approx(2)


def test_gromov_hausdorff_by_hand():
    # four words a quarter turn apart join three times at sqrt(2), two opposite ones once at 2. The first bars differ by
    # 0.586; the others have no partner and cost half of sqrt(2)
    assert isomorphism.gromov_hausdorff(at(0, 90, 180, 270), at(0, 180)) == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("measure", [isomorphism.eigenvector_similarity, isomorphism.gromov_hausdorff])
def test_a_rotation_and_another_order_are_not_seen(measure):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(50, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert measure(vectors, rng.permutation(vectors @ rotation)) == pytest.approx(0, abs=1e-9)
    other = rng.normal(size=(40, 6))
    assert measure(vectors, other) == pytest.approx(measure(other, vectors)) and measure(vectors, other) > 0.01


def test_equal_vectors_are_no_trouble():
    assert isomorphism.gromov_hausdorff(at(0, 0, 0, 0), at(0, 0, 180, 180)) == pytest.approx(1)  # nothing but 2 / 2
    assert np.isfinite(isomorphism.eigenvector_similarity(at(0, 0, 0), at(0, 90, 180)))


text = st.lists(st.integers(4, 7), max_size=60)


@settings(max_examples=25)
@given(text, st.lists(st.lists(st.integers(4, 7), min_size=1, max_size=4), min_size=1, max_size=8))
def test_occurrences_equal_a_loop_over_the_text(tokens, words):
    expected = [sum(tokens[i : i + len(word)] == word for i in range(len(tokens))) for word in words]
    assert occurrences(np.array(tokens, dtype=np.uint16), Words.of(words)).tolist() == expected


def test_occurrences_across_parts_are_counted_once(monkeypatch):
    monkeypatch.setattr("fairseq_align.lexicon.frequency.PART", 3)
    tokens = np.array([5, 6, 5, 6, 5, 6, 2, 5, 6], dtype=np.uint16)
    assert occurrences(tokens, Words.of([[5, 6], [6, 5], [6], [5, 6, 5]])).tolist() == [4, 2, 4, 2]
