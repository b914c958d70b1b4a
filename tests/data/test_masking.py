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


def test_the_authors_rule_leaves_half_of_the_chosen_tokens_visible():
    """Rates of a million tokens, as their collator has them: translated or visible 50 %, then 80 / 10 / 10."""
    length, words = 1000, (4, 8)
    table = Translations([(4, 10, MASK), (5, 11, MASK)], 16)
    mask = masking(0.15, 0.1, 0.1, dict_rate=0.5, dict_mode="authors")
    rng, counts = np.random.default_rng(1), Counter()
    for _ in range(300):
        tokens = rng.integers(*words, length)
        inputs, targets = mask(tokens, rng, table)
        chosen = targets != PAD
        assert (targets[chosen] == tokens[chosen]).all() and (inputs[~chosen] == tokens[~chosen]).all()
        for known in (True, False):
            here = chosen & ((tokens < 6) == known)
            counts[known, "all"] += here.sum()
            counts[known, "mask"] += (inputs[here] == MASK).sum()
            counts[known, "translated"] += (inputs[here] == tokens[here] + 6).sum()
            counts[known, "kept"] += (inputs[here] == tokens[here]).sum()
    for (known, name), expected in {
        (True, "mask"): 0.4, (True, "translated"): 0.505, (True, "kept"): 0.055,
        (False, "mask"): 0.4, (False, "translated"): 0.005, (False, "kept"): 0.555,
    }.items():  # fmt: skip
        of = counts[known, "all"]
        assert abs(counts[known, name] / of - expected) < 4 * np.sqrt(expected * (1 - expected) / of), (known, name)


STARTS = np.array([True] * 6 + [False] * 2 + [True] * 8)  # 6 and 7 go on with a word


def whole_words(mode: str, words: list, pieces: list = ()):
    table = Translations(pieces, 16, words)
    mask = masking(1.0, 0.0, 0.0, word_starts=STARTS, dict_rate=1.0, dict_mode=mode)
    inputs, targets = mask(np.array([0, 4, 5, 6, 8, 2]), np.random.default_rng(1), table)
    return inputs.tolist(), targets.tolist()


def test_dict_mlm_translates_words_of_several_pieces():
    fewer = [((5, 6), (12,), FRENCH)]
    assert whole_words("input", fewer) == ([0, MASK, 12, MASK, MASK, 2], [PAD, 4, 5, 6, 8, PAD])
    assert whole_words("authors", fewer) == ([0, 4, 12, MASK, 8, 2], [PAD, 4, 5, 6, 8, PAD])
    assert whole_words("target", fewer) == ([0, MASK, FRENCH, MASK, 2], [PAD, 4, 12, 8, PAD])
    equal = [((5, 6), (12, 13), FRENCH)]
    assert whole_words("input", equal) == ([0, MASK, 12, 13, MASK, 2], [PAD, 4, 5, 6, 8, PAD])
    assert whole_words("target", equal) == ([0, MASK, FRENCH, FRENCH, MASK, 2], [PAD, 4, 12, 13, 8, PAD])
    more = [((5, 6), (12, 13, 9), FRENCH)]  # the item keeps its length, its end goes
    assert whole_words("input", more) == ([0, MASK, 12, 13, 9, MASK], [PAD, 4, 5, 6, PAD, 8])
    assert whole_words("target", more) == ([0, MASK, FRENCH, FRENCH, FRENCH, MASK], [PAD, 4, 12, 13, 9, 8])
    # pieces inside a word that has no entry of its own are looked up as before; a word is not cut by an entry of a part
    assert whole_words("input", [((4,), (12, 13), FRENCH)], [(5, 9, FRENCH)]) == (
        [0, 12, 13, 9, MASK, MASK], [PAD, 4, PAD, 5, 6, 8],
    )  # fmt: skip
    assert whole_words("input", fewer, [(5, 9, FRENCH)]) == ([0, MASK, 12, MASK, MASK, 2], [PAD, 4, 5, 6, 8, PAD])


def test_words_are_translated_at_their_rate_by_any_of_their_translations():
    table = Translations([(8, 9, FRENCH)], 16, [((8,), (12, 13), FRENCH), ((5, 6), (10,), FRENCH)])
    mask = masking(1.0, 0.0, 0.0, word_starts=STARTS, dict_rate=0.4)
    counts = Counter()
    for seed in range(4000):
        inputs, _ = mask(np.array([0, 8, 4, 2]), np.random.default_rng(seed), table)
        counts[tuple(inputs[1:3].tolist())] += 1
    assert set(counts) == {(MASK, MASK), (9, MASK), (12, 13)}
    for found, share in (((MASK, MASK), 0.6), ((9, MASK), 0.2), ((12, 13), 0.2)):
        assert abs(counts[found] / 4000 - share) < 4 * np.sqrt(share * (1 - share) / 4000)


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
