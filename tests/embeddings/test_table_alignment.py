"""The table alone: steps against a reference in float64, rows that stay, an orthogonal start."""

import numpy as np
import pytest
import torch

from fairseq_align.embeddings import orthogonal_start
from fairseq_align.embeddings.alignment_loss import Contrastive, Cosine
from fairseq_align.embeddings.table_alignment import Settings, align
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words


def lexicon(seed: int, words: int = 12, low: int = 0, high: int = 20) -> Pairs:
    """Pairs of words of one to three pieces."""
    rng = np.random.default_rng(seed)
    sides = [Words.of([rng.integers(low, high, rng.integers(1, 4)) for _ in range(words)]) for _ in range(2)]
    return Pairs(*sides, torch.tensor(rng.uniform(0.5, 2, words), dtype=torch.float32))


def gradient_of_cosine(table: np.ndarray, pairs: Pairs, rows: np.ndarray) -> np.ndarray:
    """Of minus the weighted mean cosine of mean vectors, by its formula: (u / |u| cos - v / |v|) / |u| for u."""
    grad = np.zeros_like(table)
    weights = pairs.weights.double().numpy()
    sides = [list(words.tuples()) for words in (pairs.source, pairs.target)]
    for row in rows:
        words = [side[row] for side in sides]
        u, v = (table[list(word)].mean(axis=0) for word in words)
        units = u / np.linalg.norm(u), v / np.linalg.norm(v)
        cos = units[0] @ units[1]
        for word, own, other, vector in ((words[0], *units, u), (words[1], *units[::-1], v)):
            for piece in word:
                share = weights[row] / weights[rows].sum() / len(word)
                grad[piece] += share * (own * cos - other) / np.linalg.norm(vector)
    return grad


def test_twenty_steps_are_those_of_adam_in_float64():
    """Cosine, two lexicons of which a part is drawn, an anchor; Adam written out."""
    torch.manual_seed(1)
    table = torch.randn(20, 6, dtype=torch.float64)
    lexicons = [lexicon(1, words=12), lexicon(2, words=9)]
    updates, lr, weight = 20, 0.05, 0.7
    settings = Settings(Cosine(), updates=updates, pairs=7, lr=lr, anchor_weight=weight, seed=3)
    found = align(table, lexicons, settings)

    used = np.unique(np.concatenate([words.ids.numpy() for part in lexicons for words in (part.source, part.target)]))
    value, start = table.numpy().copy(), table.numpy().copy()
    rate = lr * np.sqrt((start[used] ** 2).mean())
    mean, square = np.zeros_like(value), np.zeros_like(value)
    for step in range(updates):
        rng = np.random.default_rng([3, step])
        drawn = [rng.choice(len(part), 7, replace=False, shuffle=False) for part in lexicons]
        grad = sum(gradient_of_cosine(value, part, rows) for part, rows in zip(lexicons, drawn, strict=True)) / 2
        grad[used] += weight * 2 * (value - start)[used] / (start[used] ** 2).sum()
        mean, square = 0.9 * mean + 0.1 * grad, 0.98 * square + 0.02 * grad**2
        corrected = mean / (1 - 0.9 ** (step + 1)), square / (1 - 0.98 ** (step + 1))
        value[used] -= rate * (1 - step / updates) * (corrected[0] / (np.sqrt(corrected[1]) + 1e-8))[used]
    assert np.abs(found.numpy() - value).max() < 1e-7 and np.abs(value - start).max() > 0.1


def test_a_row_of_no_lexicon_is_the_same_to_the_bit():
    torch.manual_seed(1)
    table = torch.randn(40, 6).to(torch.bfloat16)
    before, pairs = table.clone(), [lexicon(1, low=10, high=30)]
    found = align(table, pairs, Settings(Contrastive(), updates=10, lr=0.1))
    changed = (found != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == sorted(set(torch.cat([pairs[0].source.ids, pairs[0].target.ids]).tolist()))
    assert torch.equal(table, before) and found.dtype == torch.bfloat16


def test_translations_find_each_other_and_an_anchor_holds_them_back():
    torch.manual_seed(1)
    table = torch.randn(40, 16)
    pairs = Pairs(Words.of([[i] for i in range(20)]), Words.of([[i + 20] for i in range(20)]), torch.ones(20))

    def cosine(vectors):
        return torch.cosine_similarity(vectors[:20], vectors[20:]).mean().item()

    free, held = (
        align(table, [pairs], Settings(Contrastive(), updates=60, lr=0.05, anchor_weight=weight)) for weight in (0, 50)
    )
    assert abs(cosine(table)) < 0.2 and cosine(free) > 0.8
    assert (held - table).norm() < (free - table).norm() / 2


def test_a_loss_that_explodes_is_refused():
    with pytest.raises(InputError, match="found word embeddings of zeros"):
        align(torch.zeros(20, 4), [lexicon(1)], Settings(Cosine()))


def test_own_rows_follow_text_and_lexicon():
    """Shares by hand: of 100 pieces each, 10 times as many or none in the source language."""
    counts = torch.tensor([0, 40, 30, 30, 0])
    source = torch.tensor([10, 80, 3, 2, 0])
    pairs = Pairs(Words.of([[0]]), Words.of([[4]]), torch.ones(1))
    # row 1: 40/101 and 80/96; row 2: 30/101 against 3/96 is 9.5 times; row 3: 14 times; row 4: in no text
    assert orthogonal_start.own_rows(counts, source, pairs).tolist() == [3, 4]


def test_a_language_is_turned_by_hand():
    # rows 2 and 3 are rows 0 and 1, twice as long and turned by 90 degrees: (x, y) has become (-y, x)
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [-2.0, 0.0], [3.0, 4.0]])
    pairs = Pairs(Words.of([[0], [1]]), Words.of([[2], [3]]), torch.ones(2))
    found = orthogonal_start.mapped(table, pairs, torch.tensor([2, 3, 4]))
    assert found[2:].flatten().tolist() == pytest.approx([2, 0, 0, 2, 4, -3], abs=1e-6)


def test_a_turn_does_not_depend_on_the_order_of_pairs():
    torch.manual_seed(1)
    table, pairs, rows = torch.randn(20, 6), lexicon(1), torch.arange(10, 20)
    expected = orthogonal_start.mapped(table, pairs, rows)
    found = orthogonal_start.mapped(table, pairs.take(np.random.default_rng(1).permutation(len(pairs))), rows)
    assert torch.allclose(found, expected, atol=1e-5) and not torch.equal(expected[10:], table[10:])


def test_a_turned_language_is_turned_back():
    """Rows 20 to 39 are the first twenty turned; the map is learnt on a half and is right for the others, too."""
    torch.manual_seed(1)
    turn = torch.linalg.qr(torch.randn(8, 8)).Q
    source = torch.randn(20, 8)
    table = torch.cat([source, source @ turn, torch.randn(3, 8)])
    pairs = Pairs(Words.of([[i] for i in range(10)]), Words.of([[i + 20] for i in range(10)]), torch.ones(10))
    found = orthogonal_start.mapped(table, pairs, torch.arange(20, 40))
    assert torch.allclose(found[20:40], source, atol=1e-5)
    assert torch.equal(found[:20], table[:20]) and torch.equal(found[40:], table[40:])
