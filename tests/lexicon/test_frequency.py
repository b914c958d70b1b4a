"""Whole words of a text against a loop over it; ``occurrences`` is tested beside isomorphism."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.lexicon.frequency import LONGEST, whole_words

STARTS = np.array([True, True, True, False, True, True, False, False])


BEHIND = np.array([False, True, False, False, True, False, True, False])


def loop(tokens: list[int], behind=(True,) * 8) -> Counter:
    words, current = [], []
    for previous, token in zip([*tokens[-1:], *tokens], tokens, strict=False):
        if STARTS[token]:
            words.append(tuple(current))
            current = [token] if behind[previous] else []
        elif current:  # what stands before the first word belongs to none
            current.append(token)
    return Counter(word for word in [*words, tuple(current)] if 0 < len(word) <= LONGEST)


@given(st.lists(st.integers(0, 7), max_size=80), st.integers(1, 100), st.sampled_from([np.uint16, np.int64]))
def test_whole_words_are_those_of_a_loop_over_the_text_whatever_is_counted_at_a_time(tokens, part, kind):
    counts = whole_words(np.array(tokens, dtype=kind), STARTS, max(part, LONGEST + 2))
    assert counts == loop(tokens) and all(type(piece) is int for word in counts for piece in word)
    assert whole_words(np.array(tokens, dtype=kind), STARTS, max(part, LONGEST + 2), BEHIND) == loop(tokens, BEHIND)


@pytest.mark.parametrize("part", [LONGEST + 2, 100])
def test_a_word_of_too_many_pieces_is_no_word(part):
    tokens = [4, *[6] * (LONGEST - 1), 4, *[6] * (3 * LONGEST), 5, 2]
    assert whole_words(np.array(tokens), STARTS, part) == {(4, *[6] * (LONGEST - 1)): 1, (5,): 1, (2,): 1}
