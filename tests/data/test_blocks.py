"""Blocks: bounds by hand, and what holds in every break mode."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data.blocks import BREAK_MODES, Blocks, bounds
from tests.data.corpora import write


def test_blocks_of_the_docstring():
    offsets = np.array([0, 3, 5, 9])
    assert bounds(offsets, 5, "none").tolist() == [0, 5, 9]
    assert bounds(offsets, 5, "complete").tolist() == [0, 5, 9]
    assert bounds(offsets, 5, "eos").tolist() == [0, 3, 5, 9]
    assert bounds(offsets, 3, "complete").tolist() == [0, 3, 5, 8, 9]  # the last sentence does not fit


@given(st.lists(st.integers(0, 12), max_size=20), st.integers(1, 9), st.sampled_from(BREAK_MODES))
def test_blocks_hold_every_token_once_and_are_never_too_long_or_empty(sizes, length, mode):
    offsets = np.cumsum([0, *sizes])
    found = bounds(offsets, length, mode)
    assert found[0] == 0 and found[-1] == offsets[-1]
    assert all(0 < size <= length for size in np.diff(found))
    if mode == "none":
        assert all(size == length for size in np.diff(found)[:-1])
        return
    cut = [offsets.searchsorted(bound) - 1 for bound in found if bound not in offsets]
    assert all(sizes[sentence] > length for sentence in cut)  # a sentence that fits is whole
    if mode == "eos":
        assert set(offsets) <= set(found)
    else:  # as many as fit: with the next piece, the shortest of sentence and block, a block would be too long
        ends = np.union1d(offsets, found)
        following = [ends[ends.searchsorted(bound, side="right")] for bound in found[1:-1]]
        assert all(end - start > length for start, end in zip(found[:-2], following, strict=True))


def test_blocks_begin_with_bos(tmp_path):
    write(tmp_path / "train", [4, 5, 2], [6, 2])
    blocks = Blocks(tmp_path / "train", 4, "none", bos=0)
    assert [blocks[i].tolist() for i in range(len(blocks))] == [[0, 4, 5, 2], [0, 6, 2]]
    assert blocks.sizes.tolist() == [4, 3]
