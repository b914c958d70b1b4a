"""Labelled sentences: cut before words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data.tagging import cuts


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 8))
def test_long_sentences_are_cut_before_words(begins, length):
    begins = np.array(begins, dtype=bool)
    starts = cuts(begins, length)
    sizes = np.diff([*starts, len(begins)])
    assert starts[0] == 0 and all(size <= length for size in sizes) and (len(begins) == 0 or all(sizes > 0))
    for start, size in zip(starts[1:], sizes, strict=False):
        inside = not begins[start]
        assert not inside or not begins[start - size + 1 : start].any()  # cut inside a word only if it fills the part
