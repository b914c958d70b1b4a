"""Pairs of words inside an item: by hand, and against a search of all spans; their places in a batch."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data import word_pairs
from fairseq_align.embeddings.pooling import word_vectors

PAD, MASK = 1, 3
STARTS = np.array([True] * 4 + [True, True, False, True, True, False, True])  # 6 and 9 go on with a word
LEXICON = {(4,): [np.array([10])], (5, 6): [np.array([8, 9]), np.array([8])], (7,): [np.array([8, 9])]}


def found(item, predicted=()):
    item = np.array(item, dtype=np.int64)
    targets = np.full_like(item, PAD)
    targets[list(predicted)] = item[list(predicted)]
    inputs = item.copy()
    inputs[list(predicted)] = MASK
    return word_pairs.find(inputs, targets, STARTS, LEXICON, PAD).tolist()


def test_words_are_found_by_their_pieces():
    assert found([0, 4, 5, 6, 2, 10, 8, 9, 2]) == [[1, 2, 5, 6], [2, 4, 6, 8]]


def test_what_is_masked_is_no_word_and_neither_is_the_rest_of_it():
    assert found([0, 4, 5, 6, 2, 10, 8, 9, 2], predicted=[1]) == [[2, 4, 6, 8]]
    assert found([0, 4, 5, 6, 2, 10, 8, 9, 2], predicted=[7]) == [[1, 2, 5, 6]]  # not 8 alone, which would fit 5 6


def test_a_word_that_could_mean_two_is_left_out():
    assert found([0, 4, 4, 2, 10, 2]) == []
    assert found([0, 4, 2, 10, 10, 2]) == []
    assert found([0, 5, 6, 2, 8, 9, 8, 2]) == []  # two translations of one word
    assert found([0, 5, 6, 7, 2, 8, 9, 2]) == []  # two words of one translation


@given(st.lists(st.sampled_from([0, 4, 5, 6, 7, 8, 9, 10]), max_size=14), st.integers(0, 99))
def test_pairs_equal_a_search_of_all_spans(item, seed):
    hidden = np.flatnonzero(np.random.default_rng(seed).random(len(item)) < 0.15)
    bounds = [*(i for i, piece in enumerate(item) if STARTS[piece]), len(item)]
    words = [(tuple(item[a:b]), a, b) for a, b in zip(bounds, bounds[1:], strict=False)]
    words = [word for word in words if not set(range(*word[1:])) & set(hidden.tolist())]
    fits = [
        (first, second)
        for first in words
        for second in words
        if any(second[0] == tuple(option.tolist()) for option in LEXICON.get(first[0], ()))
    ]
    expected = [
        [*first[1:], *second[1:]]
        for first, second in fits
        if sum(first[0] == word[0] for word in words) == 1
        and sum(first[0] == other[0] for other, _ in fits) == 1
        and sum(second[0] == other[0] for _, other in fits) == 1
    ]
    assert found(item, hidden) == sorted(expected)


def test_ids_of_a_batch_are_rows_of_its_flattened_states():
    items = [np.array([[1, 3, 4, 5]]), np.zeros((0, 4), dtype=np.int64), np.array([[0, 1, 2, 4], [4, 5, 1, 2]])]
    states = torch.randn(6, 3, 2)
    pairs = word_pairs.pairs_of(word_pairs.batched(items))
    source, target = (word_vectors(states.flatten(0, 1), words) for words in (pairs.source, pairs.target))
    expected = [states[1:3, 0].mean(0), states[0, 2], states[4, 2]]
    assert torch.allclose(source, torch.stack(expected))
    assert torch.allclose(target, torch.stack([states[4, 0], states[2:4, 2].mean(0), states[1, 2]]))


def test_a_batch_without_pairs_has_none():
    assert len(word_pairs.pairs_of(word_pairs.batched([np.zeros((0, 4), dtype=np.int64)] * 2))) == 0
