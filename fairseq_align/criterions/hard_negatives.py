"""Hard negatives: from time to time, the wrong answers that are nearest to each word of the lexicon."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from fairseq.data import Dictionary
from torch import Tensor

from fairseq_align.data import whole_words
from fairseq_align.embeddings import induction
from fairseq_align.embeddings.characters import Characters
from fairseq_align.embeddings.retrieval import Space
from fairseq_align.errors import InputError
from fairseq_align.lexicon.words import Pairs, Words

Word = tuple[int, ...]


@dataclass(frozen=True)
class HardNegatives:
    """Target words that are near to a source word and do not translate it, and the other way round.

    Candidates are the words of all pairs on the other side and, of languages that are named, the most frequent whole
    words of the training texts, of any number of pieces. A word that some pair gives for a translation is no wrong
    answer, nor is the word itself, in the other language.

    Attributes:
        count: K, of each word.
        every: updates between two searches; each forgets what the one before found.
        langs: pairs of languages, folders of the data; may be empty.
        words: candidates of each language.
        dictionary: of the data.
        data: folder of the binarized data.

    Source: Li et al. 2022, https://arxiv.org/abs/2203.08307
    """

    count: int
    every: int
    langs: Sequence[tuple[str, str]]
    words: int
    dictionary: Dictionary
    data: Path

    @cached_property
    def frequent(self) -> tuple[list[Word], list[Word]]:
        """Frequent words of the source languages, and of the target languages."""
        langs = [dict.fromkeys(pair[side] for pair in self.langs) for side in (0, 1)]
        return tuple(
            [word for lang in side for word in whole_words.frequent(self.data, lang, self.dictionary, self.words)]
            for side in langs
        )

    def pools(self, pairs: Pairs) -> tuple[list[Word], list[Word]]:
        """Candidates of the source side, and of the target side, each once; those of the pairs first."""
        sides = zip((pairs.source, pairs.target), self.frequent, strict=True)
        return tuple(list(dict.fromkeys([*words.tuples(), *frequent])) for words, frequent in sides)

    def checksum(self, pairs: Pairs) -> int:
        """Number that is the same as long as what ``find`` returns for the pairs is about the same words."""
        pools = self.pools(pairs)
        return zlib.crc32(repr((self.count, pools, _rows(pairs, pools))).encode())

    def find(self, table: Tensor, pairs: Pairs, characters: Characters | None = None) -> tuple[Tensor, Tensor]:
        """Rows of the wrong answers among the candidates, for the distinct words of either side.

        Args:
            table: word embeddings, shape (V, C).
            pairs: on the CPU.

        Returns:
            for the source words, rows of the target pool, int32, shape (S, K), and for the target words; on the CPU.

        Raises:
            InputError: a word has fewer wrong answers.
        """
        pools = self.pools(pairs)
        rows = _rows(pairs, pools)
        spaces = [Space.of(table.detach(), Words.of(pool).to(table.device), characters) for pool in pools]
        found = []
        for side, other in ((0, 1), (1, 0)):
            asked = max(rows[side]) + 1
            left_out = _left_out(pools[side][:asked], pools[other], zip(rows[side], rows[other], strict=True))
            wrong = len(pools[other]) - int(left_out[:, 0].bincount().max())
            if wrong < self.count:
                raise InputError(
                    f"found --hard-negatives {self.count}, expected at most {wrong}, all wrong answers to some word; "
                    "lower it, or add frequent words: --hard-negatives-langs"
                )
            queries = spaces[side].subspace(torch.arange(asked, device=table.device))
            nearest = induction.nearest_others(queries, spaces[other], left_out.to(table.device), self.count)
            found.append(nearest.to("cpu", torch.int32))
        return tuple(found)

    def joined(self, pairs: Pairs, found: tuple[Tensor, Tensor]) -> Pairs:
        """The pairs with what ``find`` has found for them."""
        pools = self.pools(pairs)
        chosen = (
            nearest[rows].flatten().long().numpy() for nearest, rows in zip(found, _rows(pairs, pools), strict=True)
        )
        negatives = tuple(Words.of(pool).drawn(rows) for pool, rows in zip(pools[::-1], chosen, strict=True))
        return replace(pairs, negatives=negatives)


def _rows(pairs: Pairs, pools: Sequence[Sequence[Word]]) -> list[list[int]]:
    """Where the words of the pairs stand among the candidates of their side."""
    found = []
    for words, pool in zip((pairs.source, pairs.target), pools, strict=True):
        row_of = {word: row for row, word in enumerate(pool)}
        found.append([row_of[word] for word in words.tuples()])
    return found


def _left_out(asked: Sequence[Word], candidates: Sequence[Word], translations: Iterable[tuple[int, int]]) -> Tensor:
    """Rows of a word and of a candidate that is no wrong answer to it, int64, shape (E, 2), each pair once."""
    row_of = {word: row for row, word in enumerate(candidates)}
    itself = {(row, row_of[word]) for row, word in enumerate(asked) if word in row_of}
    return torch.tensor(sorted({*translations, *itself}))
