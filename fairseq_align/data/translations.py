"""Translation table, looked up for the tokens and the words of an item (DICT-MLM)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from fairseq_align.lexicon.words import Pairs

Piece = tuple[int, int, int]  # token, translation, mask symbol of the translation's language
Word = tuple[tuple[int, ...], tuple[int, ...], int]  # the same of words of any number of pieces


class Translations:
    """For each token of a language, and for each word, what translates it in other languages.

    >>> french = Translations([(4, 10, 15), (5, 11, 15)], vocabulary_size=16)
    >>> french.has(np.array([4, 6, 5]))
    array([ True, False,  True])
    >>> french.draw(np.array([5, 4]), np.random.default_rng(1))
    (array([11, 10]), array([15, 15]))

    Args:
        entries: (token, translation, mask) ids; ``mask`` is the mask symbol of the translation's language. Repeated
            entries are drawn more often.
        vocabulary_size: upper bound of the ids, V.
        words: entries of whole words, see ``Entries``; only those that ``entries`` cannot hold make ``words`` fill.

    Attributes:
        words: translations and mask symbols of each word by its pieces; empty where single pieces are all there is.
    """

    def __init__(self, entries: Iterable[Piece], vocabulary_size: int, words: Iterable[Word] = ()):
        table = np.array(sorted(entries), dtype=np.int64).reshape(-1, 3)
        self.translations, self.masks = table[:, 1], table[:, 2]
        # the translations of token t are translations[starts[t] : starts[t + 1]]
        self.starts = np.searchsorted(table[:, 0], np.arange(vocabulary_size + 1))
        by_word = defaultdict(list)
        for word, translation, mask in sorted(words):
            by_word[word].append((np.array(translation), mask))
        if by_word:  # a word is drawn among all of its translations, those of single pieces, too
            for token, translation, mask in table.tolist():
                by_word[(token,)].append((np.array([translation]), mask))
        self.words = dict(by_word)

    def __len__(self) -> int:
        return len(self.words) or len(self.translations)

    def has(self, tokens: np.ndarray) -> np.ndarray:
        """Whether each token has a translation of a single piece; bool, the shape of ``tokens``."""
        return self.starts[tokens + 1] > self.starts[tokens]

    def draw(self, tokens: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One translation of each token, all equally likely, and the mask symbol of its language; int64, (T,) each.

        Every token must have a translation.
        """
        first = self.starts[tokens]
        row = first + (rng.random(len(tokens)) * (self.starts[tokens + 1] - first)).astype(np.int64)
        return self.translations[row], self.masks[row]


@dataclass
class Entries:
    """Entries of the translation table of a language.

    Attributes:
        pieces: pairs of two single pieces. A single piece replaces another one without moving the rest of an item,
            wherever it stands.
        words: all other pairs, which are of whole words.
    """

    pieces: list[Piece] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)

    @classmethod
    def of(cls, pairs: Pairs, mask_idx: int, reverse: bool = False) -> Entries:
        """Entries of the pairs, from source to target or in ``reverse``.

        >>> from fairseq_align.lexicon.words import Words
        >>> Entries.of(Pairs(Words.of([[4], [5, 6]]), Words.of([[8], [9]]), None), mask_idx=3)
        Entries(pieces=[(4, 8, 3)], words=[((5, 6), (9,), 3)])

        Args:
            pairs: on the CPU.
            mask_idx: mask symbol of the language of the translations.
        """
        sides = (pairs.target, pairs.source) if reverse else (pairs.source, pairs.target)
        entries = cls()
        for word, translation in zip(*(_words(side) for side in sides), strict=True):
            if len(word) == len(translation) == 1:
                entries.pieces.append((*word, *translation, mask_idx))
            else:
                entries.words.append((word, translation, mask_idx))
        return entries

    def __add__(self, other: Entries) -> Entries:
        return Entries(self.pieces + other.pieces, self.words + other.words)


def _words(words) -> list[tuple[int, ...]]:
    """The ids of each word."""
    ids, offsets = words.ids.tolist(), words.offsets.tolist()
    return [tuple(ids[start:end]) for start, end in zip(offsets, [*offsets[1:], len(ids)], strict=True)]
