"""Rows as means of other words' vectors: by hand, and against loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from fairseq_align.embeddings import mean_start
from fairseq_align.embeddings.mean_start import MappedVectors
from fairseq_align.lexicon.words import Pairs, Words


def test_rows_are_means_of_the_words_that_translate_them_by_hand():
    # piece 3 is in the translations of word (0), weight 2, and of (0, 1), weight 1, whose vector is (2, 1):
    # (2 (4, 0) + (2, 1)) / 3 = (10/3, 1/3). Piece 4 is twice in one word: (2 (2, 1)) / 2. Piece 5 is in none
    table = torch.tensor([[4.0, 0.0], [0.0, 2.0], [7.0, 7.0], [9.0, 9.0], [9.0, 9.0], [5.0, 5.0]])
    pairs = Pairs(Words.of([[0], [0, 1]]), Words.of([[3], [4, 3, 4, 2]]), torch.tensor([2.0, 1.0]))
    started = mean_start.of_translations(table, pairs, torch.tensor([3, 4, 5]))
    assert started[3].tolist() == pytest.approx([10 / 3, 1 / 3]) and started[4].tolist() == [2, 1]
    kept = [0, 1, 2, 5]  # 2 is in a translation, and is not named
    assert torch.equal(started[kept], table[kept])
    assert table[3].tolist() == [9, 9]


WORD = st.lists(st.integers(0, 11), min_size=1, max_size=4)
ROWS = st.sets(st.integers(0, 11)).map(sorted)


@given(st.lists(st.tuples(WORD, WORD, st.floats(0.25, 4)), min_size=1, max_size=12), ROWS, st.integers(0, 9))
def test_means_of_translations_are_those_of_a_loop_in_float64(entries, rows, seed):
    table = np.random.default_rng(seed).normal(size=(12, 5)).astype(np.float32)
    pairs = Pairs(
        *(Words.of([entry[side] for entry in entries]) for side in (0, 1)), torch.tensor([w for *_, w in entries])
    )
    started = mean_start.of_translations(torch.from_numpy(table), pairs, torch.tensor(rows, dtype=torch.int64)).numpy()
    for row in range(12):
        held = [(source, w) for source, target, w in entries for piece in target if piece == row]
        if row not in rows or not held:
            assert (started[row] == table[row]).all()
            continue
        vectors = [table[source].astype(np.float64).mean(0) for source, _ in held]
        expected = np.average(vectors, axis=0, weights=[w for _, w in held])
        assert started[row] == pytest.approx(expected, abs=1e-5)
    order = torch.randperm(len(entries), generator=torch.Generator().manual_seed(seed))
    again = mean_start.of_translations(
        torch.from_numpy(table), pairs.take(order.numpy()), torch.tensor(rows, dtype=torch.int64)
    )
    assert again.numpy() == pytest.approx(started, abs=1e-6)


@pytest.mark.parametrize("dim", [3, 6, 9], ids=["fewer", "as many", "more dimensions"])
def test_vectors_of_another_space_come_into_that_of_the_table(dim):
    """The file's vectors are those of the table, turned and longer: the rows are what they were made of."""
    rng = np.random.default_rng(dim)
    rank = min(dim, 6)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0][:, :rank] @ np.linalg.qr(rng.normal(size=(6, 6)))[0][:rank]
    file = rng.normal(size=(40, 6)) @ turn.T if dim > 6 else rng.normal(size=(40, dim))
    table = np.concatenate([file @ turn, rng.normal(size=(40, 6))]).astype(np.float32)
    made = MappedVectors(torch.from_numpy(table), torch.arange(40, 80), dim)
    for part in np.array_split(np.arange(40), 3):  # word i + 40 of the language translates word i
        vectors = torch.from_numpy(5 * file[part]).float()
        made.means.add(Words.of([i + 40] for i in part.tolist()), vectors, torch.ones(len(part)))
        made.learn(vectors, Words.of([i] for i in part.tolist()))
    started = made.result().numpy()
    assert (started[:40] == table[:40]).all()
    scale = np.linalg.norm(table, axis=1).mean() / np.linalg.norm(table[:40], axis=1).mean()
    assert started[40:] == pytest.approx(scale * table[:40], abs=1e-4)
    assert np.linalg.norm(started[40:], axis=1).mean() == pytest.approx(np.linalg.norm(table, axis=1).mean(), rel=1e-5)


def test_the_map_is_scipys_and_frequent_words_count_more():
    rng = np.random.default_rng(1)
    table, file = rng.normal(size=(30, 4)).astype(np.float32), rng.normal(size=(10, 4)).astype(np.float32)
    counts = rng.integers(1, 50, 10)
    words = [[20, 21], *([20 + i] for i in range(1, 9)), [29, 20]]
    made = MappedVectors(torch.from_numpy(table), torch.arange(20, 29), 4)
    made.means.add(Words.of(words), torch.from_numpy(file), torch.from_numpy(counts))
    made.learn(torch.from_numpy(file), Words.of([[i, i + 1] for i in range(10)]))
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    targets = np.array([table[i : i + 2].astype(np.float64).mean(0) for i in range(10)])
    mapping, _ = orthogonal_procrustes(unit(file.astype(np.float64)), unit(targets))
    means = [(counts[0] * file[0] + counts[9] * file[9]) / (counts[0] + counts[9])]
    means += [(counts[0] * file[0] + counts[1] * file[1]) / (counts[0] + counts[1]), *file[2:9]]
    mapped = np.array(means, dtype=np.float64) @ mapping
    mapped *= np.linalg.norm(table, axis=1).mean() / np.linalg.norm(mapped, axis=1).mean()
    started = made.result().numpy()
    assert started[20:29] == pytest.approx(mapped, abs=1e-5)
    assert (started[:20] == table[:20]).all() and (started[29] == table[29]).all()  # 29 is held, and not named


def test_the_order_of_word_vectors_and_of_pairs_does_not_count():
    rng = np.random.default_rng(1)
    table, file = torch.from_numpy(rng.normal(size=(30, 4))).float(), torch.from_numpy(rng.normal(size=(10, 6))).float()
    words, started = [[20 + i, 20 + i * i % 10] for i in range(10)], []
    for order in (range(10), rng.permutation(10).tolist()):
        made = MappedVectors(table, torch.arange(20, 30), 6)
        for part in (order[:4], order[4:]):
            vectors = file[list(part)]
            made.means.add(Words.of([words[i] for i in part]), vectors, torch.tensor([1.0 + i for i in part]))
            made.learn(vectors, Words.of([[i, i + 1] for i in part]))
        started.append(made.result())
    assert torch.allclose(*started, atol=1e-5) and not torch.equal(started[0][20:], table[20:])


def test_without_rows_of_its_own_a_language_changes_nothing():
    table = torch.randn(5, 3)
    made = MappedVectors(table, torch.empty(0, dtype=torch.int64), 2)
    made.means.add(Words.of([[4]]), torch.ones(1, 2), torch.ones(1))
    made.learn(torch.ones(1, 2), Words.of([[0]]))
    assert torch.equal(made.result(), table)
