"""Ranks among candidates against a double loop in float64, by hand, and with ties; the map and the memory."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from fairseq_align.embeddings import retrieval
from fairseq_align.embeddings.retrieval import Queries, Space
from fairseq_align.lexicon.words import Pairs, Words

KS = (1, 5, 10)


def space(vectors) -> Space:
    rows = torch.arange(len(vectors))
    return Space(torch.as_tensor(np.asarray(vectors), dtype=torch.float32), Words(rows, rows))


def random_data(seed: int):
    """Two vocabularies of 40 and 35 words in 8 dimensions, and 30 pairs, some words with several translations."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 8)), rng.normal(size=(35, 8)), pairs_of(rng)


def tie_heavy_data(seed: int):
    """Vectors of -1, 0 and 1 in two dimensions: nine different ones, the zero vector among them."""
    rng = np.random.default_rng(seed)
    return rng.integers(-1, 2, size=(40, 2)), rng.integers(-1, 2, size=(35, 2)), pairs_of(rng)


def pairs_of(rng) -> np.ndarray:
    return np.stack([rng.integers(0, 25, 30), rng.integers(0, 35, 30)], axis=1)


def brute_force(source, target, pairs, csls: bool):
    """P@1, P@5, P@10, mean reciprocal rank and tied words, one similarity after the other."""

    def cosine(x, y):
        lengths = math.sqrt(math.fsum(x * x)) * math.sqrt(math.fsum(y * y))
        return math.fsum(x * y) / lengths if lengths else 0.0

    source, target = source.astype(np.float64), target.astype(np.float64)
    scores = np.array([[cosine(x, y) for y in target] for x in source])
    if csls:
        near_x = [np.mean(sorted(row)[-10:]) for row in scores]
        near_y = [np.mean(sorted(column)[-10:]) for column in scores.T]
        for i in range(len(source)):
            for j in range(len(target)):
                scores[i, j] = 2 * scores[i, j] - near_x[i] - near_y[j]
    ranks, tied = [], 0
    for word in sorted(set(pairs[:, 0])):
        right = set(pairs[pairs[:, 0] == word, 1])
        best = max(scores[word, j] for j in right)
        equal = [j for j in range(len(target)) if abs(scores[word, j] - best) <= 1e-6]
        first = min(right.intersection(equal))
        better = [j for j in range(len(target)) if scores[word, j] > best + 1e-6]
        ranks.append(1 + len(better) + sum(j < first for j in equal))
        tied += not right.issuperset(equal)
    return [np.mean([rank <= k for rank in ranks]) for k in KS] + [np.mean([1 / rank for rank in ranks])], tied


def found(source, target, pairs, csls: bool, block: int = 16):
    source, target = space(source), space(target)
    rows, gold = Queries.of(torch.from_numpy(pairs))
    mean_similarity = retrieval.mean_similarities(source, target, block=block)[1] if csls else None
    ranks = retrieval.ranks(source.subspace(rows), target, gold, mean_similarity, block)
    return [ranks.precision(k).mean().item() for k in KS] + [ranks.reciprocal.mean().item()], int(ranks.tied.sum())


@pytest.mark.parametrize("csls", [False, True], ids=["cosine", "CSLS"])
@pytest.mark.parametrize("data", [random_data, tie_heavy_data])
@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_a_double_loop_in_float64_both_ways(data, seed, csls):
    source, target, pairs = data(seed)
    for one, other, asked in ((source, target, pairs), (target, source, pairs[:, ::-1].copy())):
        values, tied = brute_force(one, other, asked, csls)
        ours, ours_tied = found(one, other, asked, csls)
        assert ours == pytest.approx(values, abs=1e-6) and ours_tied == tied
        assert tied == 0 or data is tie_heavy_data


@pytest.mark.parametrize("data", [random_data, tie_heavy_data])
@pytest.mark.parametrize("csls", [False, True], ids=["cosine", "CSLS"])
def test_the_size_of_blocks_changes_nothing(data, csls):
    source, target, pairs = data(99)
    whole = found(source, target, pairs, csls, block=1000)
    assert all(found(source, target, pairs, csls, block) == whole for block in (1, 7, 34, 35, 36))


HUB = [[1, 0], [0.8, 0.6]], [[0.8, 0.6], [0.6, -0.8]]


def test_csls_by_hand():
    # cosines of x0: 0.8 and 0.6; of x1: 1 and 0. The hub y0 has r = (0.8 + 1) / 2 = 0.9, y1 has r = 0.6 / 2 = 0.3, so
    # that 2 * 0.8 - 0.9 = 0.7 loses against 2 * 0.6 - 0.3 = 0.9, and y1, the translation of x0, comes first
    source, target = map(space, HUB)
    source_r, target_r = retrieval.mean_similarities(source, target, neighbours=2)
    assert source_r.tolist() == pytest.approx([0.7, 0.5]) and target_r.tolist() == pytest.approx([0.9, 0.3])
    queries, gold = source.subspace(torch.tensor([0])), torch.tensor([[0, 1]])
    assert retrieval.ranks(queries, target, gold).rank.tolist() == [2]
    assert retrieval.ranks(queries, target, gold, target_r).rank.tolist() == [1]


def test_of_equal_candidates_the_first_wins_and_the_tie_is_counted():
    # candidates 1, 2 and 3 are the query itself; 2 is right, so 1 comes before it and 3 after it
    target = space([[0, 1], [2, 0], [1, 0], [4, 0]])
    ranks = retrieval.ranks(space([[1, 0]]), target, torch.tensor([[0, 2]]))
    assert ranks.rank.tolist() == [2] and ranks.tied.tolist() == [True]
    both = retrieval.ranks(space([[1, 0]]), target, torch.tensor([[0, 1], [0, 2], [0, 3]]))
    assert both.rank.tolist() == [1] and both.tied.tolist() == [False]  # ties among translations decide nothing


def test_words_of_several_pieces_are_the_mean_of_their_pieces():
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    vectors = Space(table, Words.of([[0, 1], [1]])).take(torch.tensor([0, 1]))
    assert vectors[0].tolist() == pytest.approx([math.sqrt(0.5)] * 2) and vectors[1].tolist() == [0, 1]


def test_the_map_is_scipys_and_finds_a_rotation_from_the_seen_pairs_alone():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(60, 6))
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    source = space(target @ rotation.T)
    seen = torch.arange(20)
    source = source.mapped(retrieval.procrustes(source.subspace(seen), space(target).subspace(seen), block=7))
    assert np.allclose(source.mapping, rotation, atol=1e-5)
    unit = target[:20] / np.linalg.norm(target[:20], axis=1, keepdims=True)
    assert np.allclose(source.mapping, orthogonal_procrustes(unit @ rotation.T, unit)[0], atol=1e-5)
    heldout = torch.arange(20, 60)
    gold = torch.stack([torch.arange(40), heldout], dim=1)
    assert retrieval.ranks(source.subspace(heldout), space(target), gold).rank.tolist() == [1] * 40


def peak(run, path) -> int:
    """Most bytes that torch held at once while something ran, above those it held before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    profile.export_chrome_trace(str(path))
    events = [event for event in json.loads(path.read_text())["traceEvents"] if event.get("name") == "[memory]"]
    changes = [event["args"]["Bytes"] for event in sorted(events, key=lambda event: event["ts"])]
    return int(max(np.cumsum(changes)))


def test_memory_is_bounded_by_the_block_whatever_the_number_of_words(tmp_path):
    block, dim, words = 64, 32, 1000
    rng = np.random.default_rng(1)
    source, target = (space(rng.normal(size=(words, dim))) for _ in range(2))
    gold = torch.arange(words).repeat(2, 1).T.contiguous()

    def run():
        mean_similarity = retrieval.mean_similarities(source, target, block=block)[1]
        retrieval.ranks(source, target, gold, mean_similarity, block)

    own = 2 * words * (retrieval.NEIGHBOURS + 12) * 4  # nearest cosines, then ranks: a few numbers a word
    assert peak(run, tmp_path / "trace.json") <= retrieval.memory(block, dim) + own < 4 * words * words / 10
    giant = retrieval.memory(retrieval.BLOCK, 1024) + 2 * 250_000 * (1024 + retrieval.NEIGHBOURS + 12) * 4
    assert giant < 4e9  # two tables of 250,000 x 1,024 and what scoring them needs


# cos(row 0, row 1) = 24/25, cos(row 2, row 3) = 0
TABLE = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
words = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=4), min_size=6, max_size=6)


def lexicon(source: list[list[int]], target: list[list[int]]) -> Pairs:
    return Pairs(Words.of(source), Words.of(target), torch.ones(len(source)))


def test_mean_cosine_by_hand():
    assert retrieval.mean_cosine(TABLE, lexicon([[0], [2]], [[1], [3]])).item() == pytest.approx(0.48)


def brute_force_p1(table, source, target, candidates):
    """Share of distinct source words whose nearest candidate is one of their translations, in float64."""
    table = table.numpy().astype(np.float64)
    vector = lambda word: table[list(word)].mean(0) / np.linalg.norm(table[list(word)].mean(0))  # noqa: E731
    right = {}
    for s, t in zip(source, target, strict=True):
        right.setdefault(tuple(s), set()).add(tuple(t))
    hits = 0
    for s, translations in right.items():
        scores = [vector(s) @ vector(candidate) for candidate in candidates]
        hits += tuple(candidates[int(np.argmax(scores))]) in translations
    return hits / len(right)


@given(source=words, target=words, seed=st.integers(0, 20))
def test_precision_at_1_equals_brute_force(source, target, seed):
    table = torch.randn(20, 8, generator=torch.Generator().manual_seed(seed))
    candidates = [list(word) for word in dict.fromkeys(map(tuple, target + [[19, 0, 1, 2, 3]]))]
    found = retrieval.precision_at_1(table, lexicon(source, target), Words.of(candidates))
    assert found.item() == pytest.approx(brute_force_p1(table, source, target, candidates))


def test_any_of_several_translations_is_correct():
    # row 0 is nearest to row 1; it translates as 1 and as 3, and is one query
    some = lexicon([[0], [0]], [[3], [1]])
    assert retrieval.precision_at_1(TABLE, some, Words.of([[1], [3]])).item() == 1
    assert retrieval.precision_at_1(TABLE, lexicon([[0]], [[3]]), Words.of([[1], [3]])).item() == 0
