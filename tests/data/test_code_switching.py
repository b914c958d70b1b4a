"""Code-switching: by hand, its rate, and its place in a dataset."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data.code_switching import CodeSwitching, switches
from fairseq_align.data.masking import Masking
from fairseq_align.data.translations import Entries

STARTS = np.array([True] * 4 + [True, True, False, True, True, False, True])  # 6 and 9 go on with a word
CATS = switches(Entries(pieces=[(4, 10, 3)], words=[((5, 6), (8, 9), 3), ((7,), (8, 9, 9), 3)]))
# <s> small cat s sleep </s>
TOKENS = np.array([0, 4, 5, 6, 7, 2])


def switched(rate: float, tokens=TOKENS, seed: int = 1):
    return CodeSwitching(rate, STARTS)(tokens, np.random.default_rng(seed), CATS)


def test_words_of_any_number_of_pieces_are_replaced_and_the_item_keeps_its_length():
    tokens, foreign = switched(1.0)
    assert tokens.tolist() == [0, 10, 8, 9, 8, 9]  # the last translation has three pieces: one, and </s>, are cut
    assert foreign.tolist() == [False, True, True, True, True, True]
    assert TOKENS.tolist() == [0, 4, 5, 6, 7, 2]


def test_at_rate_0_nothing_changes():
    tokens, foreign = switched(0.0)
    assert tokens.tolist() == TOKENS.tolist() and not foreign.any()


@given(st.lists(st.sampled_from([4, 5, 6, 7, 10]), max_size=12))
def test_at_rate_1_an_item_is_that_of_a_loop_over_its_words(pieces):
    item = [0, *pieces, 2]
    words = []
    for piece in item:
        if STARTS[piece]:
            words.append([])
        words[-1].append(piece)
    known = {(4,): [10], (5, 6): [8, 9], (7,): [8, 9, 9]}
    expected = [(piece, tuple(word) in known) for word in words for piece in known.get(tuple(word), word)][: len(item)]
    tokens, foreign = switched(1.0, np.array(item))
    assert list(zip(tokens.tolist(), foreign.tolist(), strict=True)) == expected


ENTRIES = [(4, 10, 3), (4, 8, 3), (7, 10, 3)], [((4,), (8, 9), 3), ((5, 6), (8, 9), 3), ((5, 6), (10,), 3)]


@given(st.permutations(ENTRIES[0]), st.permutations(ENTRIES[1]), st.integers(0, 99))
def test_the_order_of_the_lexicon_does_not_count(pieces, words, seed):
    found, expected = (
        CodeSwitching(0.5, STARTS)(np.tile(TOKENS, 5), np.random.default_rng(seed), switches(Entries(*entries)))
        for entries in ((pieces, words), ENTRIES)
    )
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


def test_part_of_a_word_is_no_word():
    assert switched(1.0, np.array([0, 5, 7, 2]))[0].tolist() == [0, 5, 8, 9]  # 5 alone has no translation


@given(st.integers(0, 10_000))
def test_words_are_replaced_at_their_rate(seed):
    tokens, foreign = switched(0.3, np.array([4] * 1000), seed)
    assert set(tokens[foreign].tolist()) == {10} and set(tokens[~foreign].tolist()) == {4}
    assert 0.2 < foreign.mean() < 0.4  # a standard deviation is 0.0145


@given(st.integers(0, 10_000))
def test_foreign_words_are_shown_and_never_predicted(seed):
    tokens, foreign = switched(0.5, np.tile(TOKENS, 20), seed)
    masking = Masking(1.0, 0.0, 0.0, mask_idx=99, pad_idx=1, words=(4, 11), word_starts=STARTS)
    inputs, targets = masking(tokens, np.random.default_rng(seed), None, foreign)
    assert (inputs[foreign] == tokens[foreign]).all() and (targets[foreign] == 1).all()
    own = ~foreign & (tokens >= 4)
    assert (inputs[own] == 99).all() and (targets[own] == tokens[own]).all()
