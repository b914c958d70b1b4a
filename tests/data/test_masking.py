"""Masking: by hand, the distribution of stock fairseq, whole words, DICT-MLM."""

from collections import Counter

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary, MaskTokensDataset

from fairseq_align.data.translations import Translations
from tests.data.corpora import MASK, PAD, WORDS, masking

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


def test_number_of_masked_tokens_is_stocks():
    """Both predict floor or ceiling of 15 % of the tokens an item can have predicted."""
    dictionary = Dictionary()
    for number in range(10):
        dictionary.add_symbol(f"w{number}")
    mask_idx = dictionary.add_symbol("<mask>")
    item = np.full(30, 4)
    stock = MaskTokensDataset([torch.from_numpy(item)] * 300, dictionary, PAD, mask_idx, return_masked_tokens=True)
    counts = {int((stock[i] != PAD).sum()) for i in range(300)}
    mask = masking()
    assert {int((mask(item, np.random.default_rng(i))[1] != PAD).sum()) for i in range(300)} == counts == {4, 5}
