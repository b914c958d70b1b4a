"""The dataset of masked items: sampling, repeatability, batches."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data.blocks import Blocks
from fairseq_align.data.masked_lm import MaskedLmDataset, Source, sampled_items
from fairseq_align.data.sentence_pairs import ParallelItems
from tests.data.corpora import PAD, masking, write


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0, 2.5])
def test_an_epoch_shows_its_share_of_the_parallel_items(tmp_path, rate):
    write(tmp_path / "en", *[[4, 2]] * 8)
    blocks = Source(Blocks(tmp_path / "en", 3, "eos", bos=0))
    parallel = Source(ParallelItems(tmp_path / "en", tmp_path / "en", 9, bos=0))
    dataset = MaskedLmDataset([blocks], masking(), PAD, seed=1, parallel=[parallel], parallel_rate=rate)
    lengths = Counter(len(dataset[i]["inputs"]) for i in range(len(dataset)))
    assert lengths == Counter({3: 8, 5: round(8 * rate)})


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4).filter(any), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_sampling_follows_the_temperature_and_repeats_evenly(counts, alpha):
    items = sampled_items(counts, alpha, np.random.default_rng(1))
    share = np.array([count**alpha if count else 0 for count in counts])
    expected = share / share.sum() * sum(counts)
    edges = np.cumsum([0, *counts])
    for language, count in enumerate(counts):
        own = items[(items >= edges[language]) & (items < edges[language + 1])]
        assert abs(len(own) - expected[language]) <= 0.5 + 1e-9
        times = Counter(own.tolist())
        if count:
            assert max(times.values(), default=0) - min([times[edges[language] + i] for i in range(count)]) <= 1


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(1)
    for lang, sentences in (("en", 40), ("fr", 10)):
        write(tmp_path / lang / "train", *([*rng.integers(4, 14, 7), 2] for _ in range(sentences)))
    languages = [Source(Blocks(tmp_path / lang / "train", 9, "eos", bos=0)) for lang in ("en", "fr")]
    return lambda **kwargs: MaskedLmDataset(languages, masking(0.5), PAD, seed=1, **kwargs)


def test_an_item_depends_on_seed_epoch_and_index_alone(dataset):
    one, other = dataset(), dataset()
    for index in reversed(range(len(other))):
        other[index]
    assert all((one[i]["inputs"] == other[i]["inputs"]).all() for i in range(len(one)))
    other.set_epoch(2)
    assert any((one[i]["inputs"] != other[i]["inputs"]).any() for i in range(len(one)))


def test_repeated_blocks_are_masked_anew(dataset):
    sampled = dataset(alpha=0.0)
    assert len(sampled) == 50
    first = int(np.searchsorted(sampled.items, 40))  # the first French block, there twice or thrice
    assert sampled.items[first] == sampled.items[first + 1] == 40
    assert (sampled[first]["inputs"] != sampled[first + 1]["inputs"]).any()


def test_batches_are_padded_on_the_right(tmp_path):
    write(tmp_path / "train", [4, 5, 6, 2], [7, 2])
    blocks = Blocks(tmp_path / "train", 9, "eos", bos=0)
    batch = MaskedLmDataset([Source(blocks)], masking(0.0), PAD, seed=1)
    batch = batch.collater([batch[0], batch[1]])
    assert batch["net_input"]["src_tokens"].tolist() == [[0, 4, 5, 6, 2], [0, 7, 2, PAD, PAD]]
    assert batch["net_input"]["src_lengths"].tolist() == [5, 3] and batch["ntokens"] == 8
    assert (batch["target"] == PAD).all()
