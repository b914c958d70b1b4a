"""Translation table of words of a single piece, looked up for a batch of tokens (DICT-MLM)."""

from collections.abc import Iterable

import numpy as np

from fairseq_align.lexicon.words import Pairs


class Translations:
    """For each token of a language, the tokens of other languages that translate it.

    >>> french = Translations([(4, 10, 15), (5, 11, 15)], vocabulary_size=16)
    >>> french.has(np.array([4, 6, 5]))
    array([ True, False,  True])
    >>> french.draw(np.array([5, 4]), np.random.default_rng(1))
    (array([11, 10]), array([15, 15]))

    Args:
        entries: (token, translation, mask) ids; ``mask`` is the mask symbol of the translation's language. Repeated
            entries are drawn more often.
        vocabulary_size: upper bound of the ids, V.
    """

    def __init__(self, entries: Iterable[tuple[int, int, int]], vocabulary_size: int):
        table = np.array(sorted(entries), dtype=np.int64).reshape(-1, 3)
        self.translations, self.masks = table[:, 1], table[:, 2]
        # the translations of token t are translations[starts[t] : starts[t + 1]]
        self.starts = np.searchsorted(table[:, 0], np.arange(vocabulary_size + 1))

    def __len__(self) -> int:
        return len(self.translations)

    def has(self, tokens: np.ndarray) -> np.ndarray:
        """Whether each token has a translation; bool, the shape of ``tokens``."""
        return self.starts[tokens + 1] > self.starts[tokens]

    def draw(self, tokens: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One translation of each token, all equally likely, and the mask symbol of its language; int64, (T,) each.

        Every token must have a translation.
        """
        first = self.starts[tokens]
        row = first + (rng.random(len(tokens)) * (self.starts[tokens + 1] - first)).astype(np.int64)
        return self.translations[row], self.masks[row]


def entries(pairs: Pairs, mask_idx: int, reverse: bool = False) -> list[tuple[int, int, int]]:
    """Entries of the pairs whose two words are single pieces, from source to target or in ``reverse``.

    Only a single piece can replace another one without moving the rest of the sentence.

    >>> from fairseq_align.lexicon.words import Words
    >>> entries(Pairs(Words.of([[4], [5, 6]]), Words.of([[8], [9]]), None), mask_idx=3)  # 5 6 is two pieces
    [(4, 8, 3)]

    Args:
        pairs: on the CPU.
        mask_idx: mask symbol of the language of the translations.
    """
    sides = [
        (words.ids.numpy(), words.offsets.numpy(), np.diff(words.offsets.numpy(), append=len(words.ids)))
        for words in ((pairs.target, pairs.source) if reverse else (pairs.source, pairs.target))
    ]
    single = np.logical_and.reduce([lengths == 1 for _, _, lengths in sides])
    tokens, translations = (ids[offsets[single]].tolist() for ids, offsets, _ in sides)
    return [(token, translation, mask_idx) for token, translation in zip(tokens, translations, strict=True)]
