"""The spelling baseline against cosines of n-grams that are counted one by one."""

from math import sqrt

import torch
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.embeddings import spelling


def cosine(first: str, second: str) -> float:
    """Cosine of the counts of pairs and triples of characters, one n-gram after the other."""

    def count(word: str, ngram: str) -> int:
        return sum(word.startswith(ngram, i) for i in range(len(word)))

    words = [word.casefold() + "▁" for word in (first, second)]
    ngrams = {word[i : i + n] for word in words for n in (2, 3) for i in range(len(word) - n + 1)}
    a, b = ([count(word, ngram) for ngram in ngrams] for word in words)
    return sum(x * y for x, y in zip(a, b, strict=True)) / sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_cosines_by_hand():
    # "▁ab▁": ▁a ab b▁ ▁ab ab▁, 5 n-grams; "▁ac▁": 5, of which ▁a is shared: 1/5; "▁AB": the same word, but for its case
    found = spelling.vectors(["▁ab", "▁ac", "▁AB"], {}).toarray()
    assert (found @ found.T).round(6).tolist() == [[1, 0.2, 1], [0.2, 1, 0.2], [1, 0.2, 1]]


WORDS = st.lists(st.text("▁abcA", min_size=1, max_size=6), min_size=1, max_size=12)


@given(WORDS, WORDS, st.data())
def test_ranks_equal_those_of_all_cosines(queries, candidates, data):
    rows = st.integers(0, len(candidates) - 1)
    gold = [data.draw(st.sets(rows, min_size=1)) for _ in queries]
    pairs = torch.tensor([[query, row] for query, own in enumerate(gold) for row in sorted(own)])
    found = spelling.ranks(queries, candidates, pairs)
    for query, own in enumerate(gold):
        cosines = [round(cosine(queries[query], candidate), 5) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda row: (-cosines[row], row))
        assert found.rank[query] == 1 + min(order.index(row) for row in own)
        best = max(cosines[row] for row in own)
        assert found.tied[query] == any(cosines[row] == best and row not in own for row in range(len(candidates)))


@given(WORDS, WORDS)
def test_the_nearest_is_the_first_of_the_greatest_of_all_cosines(queries, candidates):
    rows, scores = spelling.nearest(queries, candidates)
    for query, row, score in zip(queries, rows, scores, strict=True):
        cosines = [round(cosine(query, candidate), 5) for candidate in candidates]
        assert row == cosines.index(max(cosines)) and round(score, 5) == max(cosines)
