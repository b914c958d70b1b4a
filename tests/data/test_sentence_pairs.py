"""Items of translation language modelling."""

import numpy as np
import pytest

from fairseq_align.data.sentence_pairs import ParallelItems
from fairseq_align.errors import InputError
from tests.data.corpora import MASK, PAD, masking, write


def test_parallel_items_are_pairs_of_sentences(tmp_path):
    write(tmp_path / "en", [4, 5, 2], [6, 2], [4, 4, 4, 4, 4, 2])
    write(tmp_path / "fr", [7, 2], [8, 9, 2], [7, 2])
    items = ParallelItems(tmp_path / "en", tmp_path / "fr", 6, bos=0)
    assert [items[i].tolist() for i in range(len(items))] == [[0, 4, 5, 2, 7, 2], [0, 6, 2, 8, 9, 2]]
    assert items.sizes.tolist() == [6, 6] and items.left_out == 1
    # masked jointly: pieces of both sides are predicted, the </s> between them is not
    inputs, targets = masking(1.0, 0.0, 0.0)(items[0], np.random.default_rng(1))
    assert inputs.tolist() == [0, MASK, MASK, 2, MASK, 2] and targets.tolist() == [PAD, 4, 5, PAD, 7, PAD]


def test_parallel_data_of_different_lengths_or_too_long_is_refused(tmp_path):
    write(tmp_path / "en", [4, 5, 2], [6, 2])
    write(tmp_path / "fr", [7, 2])
    with pytest.raises(InputError, match="fr.idx: found 1 sentences, expected 2 as in .*aligned line by line"):
        ParallelItems(tmp_path / "en", tmp_path / "fr", 9, bos=0)
    with pytest.raises(InputError, match="found no pair of sentences of at most 4 tokens.*raise --tokens-per-sample"):
        ParallelItems(tmp_path / "fr", tmp_path / "fr", 4, bos=0)
