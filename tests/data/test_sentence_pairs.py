"""Items of translation language modelling."""

from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.data.blocks import Blocks
from fairseq_align.data.masked_lm import MaskedLmDataset, Source
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


def test_pairs_are_packed_until_an_item_is_full(tmp_path):
    """One language after the other, whole pairs, in their order; what is longer than an item is left out."""
    write(tmp_path / "en", [4, 2], [5, 5, 2], [6, 6, 6, 6, 6, 6, 2], [7, 2], [8, 2])
    write(tmp_path / "fr", [9, 9, 2], [10, 2], [11, 2], [12, 2], [13, 2])
    items = ParallelItems(tmp_path / "en", tmp_path / "fr", 10, bos=0, pack=True)
    assert [items[i].tolist() for i in range(len(items))] == [
        [0, 4, 2, 9, 9, 2],
        [0, 5, 5, 2, 10, 2],
        [0, 6, 6, 6, 6, 6, 6, 2, 11, 2],
        [0, 7, 2, 8, 2, 12, 2, 13, 2],
    ]
    shorter = ParallelItems(tmp_path / "en", tmp_path / "fr", 9, bos=0, pack=True)
    assert shorter.left_out == 1 and shorter.pairs.tolist() == [0, 1, 3, 4]
    assert shorter[1].tolist() == [0, 5, 5, 2, 10, 2] and len(shorter) == 3
    marked = ParallelItems(tmp_path / "en", tmp_path / "fr", 12, bos=0, pack=True, begin_second=True)
    assert marked[0].tolist() == [0, 4, 2, 5, 5, 2, 0, 9, 9, 2, 10, 2]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=60), st.booleans())
def test_packing_loses_no_pair_that_fits(sizes, begin_second):
    """Against a plain loop over the pairs."""
    length, expected = 64, [[]]
    for number, pair in enumerate(sizes):
        if sum(pair) + 1 + begin_second > length:
            continue
        if sum(sum(sizes[other]) for other in [*expected[-1], number]) + 1 + begin_second > length:
            expected.append([])
        expected[-1].append(number)
    with TemporaryDirectory() as folder:
        for lang, side in (("a", 0), ("b", 1)):
            write(
                f"{folder}/{lang}", *([4 + number % 10] * (pair[side] - 1) + [2] for number, pair in enumerate(sizes))
            )
        if not expected[0]:
            return
        items = ParallelItems(f"{folder}/a", f"{folder}/b", length, 0, pack=True, begin_second=begin_second)
        found = [items[index].tolist() for index in range(len(items))]
    sides = [[[4 + n % 10] * (sizes[n][side] - 1) + [2] for n in range(len(sizes))] for side in (0, 1)]
    joined = lambda side, numbers: [token for n in numbers for token in sides[side][n]]  # noqa: E731
    middle = [0] if begin_second else []
    assert found == [[0, *joined(0, numbers), *middle, *joined(1, numbers)] for numbers in expected]
    assert items.sizes.tolist() == [len(item) for item in found]


def test_tlm_has_its_share_of_the_tokens_of_an_update(tmp_path):
    """The paper's recipe: items of 512 tokens, a quarter of the pairs, a derived language of the same sizes.

    Its authors cut items in halves and join each to the same half of the other language: TLM has as many tokens an
    item as MLM, and 0.5 / 2.5 = 20 % of both. One pair an item held 20 % of the tokens in 68 % of the updates.
    """
    lengths = np.random.default_rng(1).lognormal(3.1, 0.6, 20000).astype(int).clip(2, 200)  # tokens of sentences
    sentences = [np.append(np.full(length - 1, 4), 2) for length in lengths]
    for lang in ("en", "en-x"):
        write(tmp_path / lang, *sentences)
    languages = [Source(Blocks(tmp_path / lang, 512, "complete", bos=0)) for lang in ("en", "en-x")]

    def shares(pack: bool) -> tuple[float, float, ParallelItems]:
        """Share of TLM in the tokens and in the items of an epoch."""
        pairs = ParallelItems(tmp_path / "en", tmp_path / "en-x", 512, bos=0, pack=pack)
        data = MaskedLmDataset(languages, masking(), PAD, 1, parallel=[Source(pairs)], parallel_rate=0.25)
        tlm = data.items >= data.starts[2]
        return data.sizes[tlm].sum() / data.sizes.sum(), tlm.mean(), pairs

    tokens, items, pairs = shares(pack=True)
    assert tokens == pytest.approx(0.20, abs=0.01) and items == pytest.approx(0.20, abs=0.01)
    assert pairs.left_out == 0 and pairs.sizes.mean() > 0.9 * 512
    tokens, items, pairs = shares(pack=False)
    assert tokens == pytest.approx(0.20, abs=0.01) and items > 0.6
    short = ParallelItems(tmp_path / "en", tmp_path / "en-x", 32, bos=0, pack=True)  # a small model's
    assert short.left_out == (2 * lengths + 1 > 32).sum() > 0.6 * len(lengths)


def test_parallel_data_of_different_lengths_or_too_long_is_refused(tmp_path):
    write(tmp_path / "en", [4, 5, 2], [6, 2])
    write(tmp_path / "fr", [7, 2])
    with pytest.raises(InputError, match="fr.idx: found 1 sentences, expected 2 as in .*aligned line by line"):
        ParallelItems(tmp_path / "en", tmp_path / "fr", 9, bos=0)
    with pytest.raises(InputError, match="found no pair of sentences of at most 4 tokens.*raise --tokens-per-sample"):
        ParallelItems(tmp_path / "fr", tmp_path / "fr", 4, bos=0)
