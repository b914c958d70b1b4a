"""Binarized files, blocks, masking and batches."""

from collections import Counter

import numpy as np
import pytest
import torch
from fairseq.data import MaskTokensDataset
from fairseq.data.indexed_dataset import MMapIndexedDataset
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data import binarized
from fairseq_align.data.blocks import BREAK_MODES, Blocks, bounds
from fairseq_align.data.masked_lm import MaskedLmDataset, Source, sampled_items
from fairseq_align.data.masking import Masking
from fairseq_align.data.sentence_pairs import ParallelItems
from fairseq_align.data.tagging import cuts
from fairseq_align.data.translations import Translations, entries
from fairseq_align.errors import InputError
from fairseq_align.lexicon import words as lexicon
from fairseq_align.lexicon.words import Words
from tests.support.toy_pieces import make_dictionary

PAD, MASK = 1, 14  # make_dictionary() has 4 specials and 10 pieces, <mask> follows
WORDS = (4, 14)


def masking(
    mask_prob=0.15, random_token_prob=0.1, leave_unmasked_prob=0.1, words=WORDS, mask_idx=MASK, **fields
) -> Masking:
    return Masking(mask_prob, random_token_prob, leave_unmasked_prob, mask_idx, PAD, words, **fields)


def write(prefix, *sentences, vocabulary_size=14):
    with binarized.writer(prefix, vocabulary_size) as out:
        for sentence in sentences:
            out.add(np.array(sentence), np.array([len(sentence)]))


def test_binarized_files_are_fairseqs(tmp_path):
    write(tmp_path / "train", [4, 5, 2], [6, 2])
    stock = MMapIndexedDataset(str(tmp_path / "train"))
    assert [item.tolist() for item in stock] == [[4, 5, 2], [6, 2]]
    ours = binarized.read(tmp_path / "train")
    assert ours.tokens.tolist() == [4, 5, 2, 6, 2] and ours.offsets.tolist() == [0, 3, 5]


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), binarized.writer(tmp_path / "train", 14) as out:
        out.add(np.array([4]), np.array([1]))
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", [b"", b"MMIDIDX\x00\x00", b"something else entirely"])
def test_a_damaged_index_is_refused(tmp_path, damaged):
    write(tmp_path / "train", [4, 5, 2])
    (tmp_path / "train.idx").write_bytes(damaged)
    with pytest.raises(InputError, match="train.idx: .*binarize again"):
        binarized.read(tmp_path / "train")


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
    for start, end in zip(offsets, offsets[1:], strict=False):
        inside = found[(start < found) & (found < end)]  # where this sentence is cut
        if mode != "none" and end - start <= length:
            assert not len(inside)
        if mode == "eos":
            assert {start, end} <= set(found)


def test_blocks_begin_with_bos(tmp_path):
    write(tmp_path / "train", [4, 5, 2], [6, 2])
    blocks = Blocks(tmp_path / "train", 4, "none", bos=0)
    assert [blocks[i].tolist() for i in range(len(blocks))] == [[0, 4, 5, 2], [0, 6, 2]]
    assert blocks.sizes.tolist() == [4, 3]


TOKENS = np.array([0, 4, 5, 6, 7, 8, 2, 3])  # <s>, five pieces, </s>, <unk>


@pytest.mark.parametrize(
    ("shares", "inputs"),
    [
        ((1.0, 0.0, 0.0), [0, MASK, MASK, MASK, MASK, MASK, 2, 3]),
        ((1.0, 0.0, 1.0), [0, 4, 5, 6, 7, 8, 2, 3]),
        ((0.0, 0.0, 0.0), [0, 4, 5, 6, 7, 8, 2, 3]),
    ],
)
def test_masking_with_probabilities_of_0_and_1(shares, inputs):
    found, targets = masking(*shares)(TOKENS, np.random.default_rng(1))
    predicted = [PAD, 4, 5, 6, 7, 8, PAD, PAD] if shares[0] else [PAD] * 8
    assert found.tolist() == inputs and targets.tolist() == predicted
    assert TOKENS.tolist() == [0, 4, 5, 6, 7, 8, 2, 3]


def test_random_tokens_are_pieces():
    found, _ = masking(1.0, 1.0, 0.0)(np.tile(TOKENS, 200), np.random.default_rng(1))
    changed = found.reshape(200, 8)
    assert (changed[:, [0, 6, 7]] == [0, 2, 3]).all()
    assert set(changed[:, 1:6].ravel()) == set(range(*WORDS))


def test_masking_has_the_distribution_of_stock_fairseq():
    """Rates over a million tokens are within 4 sigma of 15 % chosen, of which 80 / 10 / 10 % mask, random, keep."""
    items, length, vocabulary = 2000, 512, 1000
    rng = np.random.default_rng(1)
    ours, count = Counter(), items * (length - 1)
    mask = masking(words=(4, vocabulary), mask_idx=vocabulary)
    for _ in range(items):
        tokens = np.append(0, rng.integers(4, vocabulary, length - 1))
        inputs, targets = mask(tokens, rng)
        chosen = targets != PAD
        assert (targets[chosen] == tokens[chosen]).all() and (inputs[~chosen] == tokens[~chosen]).all()
        assert inputs[0] == 0 and not chosen[0]
        ours["chosen"] += chosen.sum()
        ours["mask"] += (inputs[chosen] == vocabulary).sum()
        ours["keep"] += (inputs[chosen] == tokens[chosen]).sum()
    within = lambda found, share, of: abs(found / of - share) < 4 * np.sqrt(share * (1 - share) / of)  # noqa: E731
    assert within(ours["chosen"], 0.15, count)
    assert within(ours["mask"], 0.8, ours["chosen"])
    assert within(ours["keep"], 0.1 + 0.1 / (vocabulary - 4), ours["chosen"])  # a random token may be the same one


def test_whole_words_share_their_fate():
    starts = np.ones(15, dtype=bool)
    starts[[6, 7]] = False
    tokens = np.array([0, 4, 6, 5, 7, 6, 3, 6, 2])  # 4+6, 5+7+6, <unk>, and a 6 that begins a word after it
    word_of = np.array([-1, 0, 0, 1, 1, 1, -1, 2, -1])
    mask = masking(0.5, 0.3, 0.3, word_starts=starts)
    seen = set()
    for seed in range(200):
        inputs, targets = mask(tokens, np.random.default_rng(seed))
        chosen = set(word_of[targets != PAD])
        assert len(chosen) in (1, 2) and -1 not in chosen
        for word in chosen:
            assert (targets[word_of == word] == tokens[word_of == word]).all()
            assert (inputs[word_of == word] == MASK).all() or not (inputs[word_of == word] == MASK).any()
        seen |= chosen
    assert seen == {0, 1, 2}


FRENCH = 15  # <mask:fr>
TABLE = Translations([(4, 10, FRENCH), (5, 11, FRENCH), (5, 12, FRENCH)], 16)


@pytest.mark.parametrize(
    ("mode", "inputs", "targets"),
    [
        ("input", [0, 10, {11, 12}, MASK, MASK, MASK, 2, 3], [PAD, 4, 5, 6, 7, 8, PAD, PAD]),
        ("target", [0, FRENCH, FRENCH, MASK, MASK, MASK, 2, 3], [PAD, 10, {11, 12}, 6, 7, 8, PAD, PAD]),
    ],
)
def test_dict_mlm_with_probabilities_of_1(mode, inputs, targets):
    mask = masking(1.0, 0.0, 0.0, dict_rate=1.0, dict_mode=mode)
    for seed in range(5):
        for found, expected in zip(mask(TOKENS, np.random.default_rng(seed), TABLE), (inputs, targets), strict=True):
            assert all(f in e if isinstance(e, set) else f == e for f, e in zip(found.tolist(), expected, strict=True))


def test_dict_mlm_treats_its_share_and_draws_translations_evenly():
    mask = masking(1.0, 0.0, 0.0, dict_rate=0.3)
    inputs, _ = mask(np.full(20000, 5), np.random.default_rng(1), TABLE)
    counts = Counter(inputs.tolist())
    assert set(counts) == {MASK, 11, 12}
    for token, share in ((MASK, 0.7), (11, 0.15), (12, 0.15)):
        assert abs(counts[token] / 20000 - share) < 4 * np.sqrt(share * (1 - share) / 20000)
    # rate 0 is plain MLM, drawn alike
    plain = masking(1.0, 0.3, 0.3)(TOKENS, np.random.default_rng(7))
    none = masking(1.0, 0.3, 0.3, dict_rate=0.0)(TOKENS, np.random.default_rng(7), TABLE)
    assert all((a == b).all() for a, b in zip(plain, none, strict=True))


def test_translations_are_of_single_pieces_both_ways():
    pairs = lexicon.Pairs(Words.of([[4], [5, 6], [7]]), Words.of([[8], [9], [10, 11]]), torch.ones(3))
    assert entries(pairs, FRENCH) == [(4, 8, FRENCH)]
    assert entries(pairs, MASK, reverse=True) == [(8, 4, MASK)]


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


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0, 2.5])
def test_an_epoch_shows_its_share_of_the_parallel_items(tmp_path, rate):
    write(tmp_path / "en", *[[4, 2]] * 8)
    blocks = Source(Blocks(tmp_path / "en", 3, "eos", bos=0))
    parallel = Source(ParallelItems(tmp_path / "en", tmp_path / "en", 9, bos=0))
    dataset = MaskedLmDataset([blocks], masking(), PAD, seed=1, parallel=[parallel], parallel_rate=rate)
    lengths = Counter(len(dataset[i]["inputs"]) for i in range(len(dataset)))
    assert lengths == Counter({3: 8, 5: round(8 * rate)})


def test_number_of_masked_tokens_is_stocks():
    """Both predict floor or ceiling of 15 % of the tokens an item can have predicted."""
    dictionary = make_dictionary()
    mask_idx = dictionary.add_symbol("<mask>")
    item = np.full(30, 4)
    stock = MaskTokensDataset([torch.from_numpy(item)] * 300, dictionary, PAD, mask_idx, return_masked_tokens=True)
    counts = {int((stock[i] != PAD).sum()) for i in range(300)}
    mask = masking()
    assert {int((mask(item, np.random.default_rng(i))[1] != PAD).sum()) for i in range(300)} == counts == {4, 5}


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


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 8))
def test_long_sentences_are_cut_before_words(begins, length):
    begins = np.array(begins, dtype=bool)
    starts = cuts(begins, length)
    sizes = np.diff([*starts, len(begins)])
    assert starts[0] == 0 and all(size <= length for size in sizes) and (len(begins) == 0 or all(sizes > 0))
    for start, size in zip(starts[1:], sizes, strict=False):
        inside = not begins[start]
        assert not inside or not begins[start - size + 1 : start].any()  # cut inside a word only if it fills the part
