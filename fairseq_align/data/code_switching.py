"""Code-switching: some words of an item stand in another language, in the input alone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairseq_align.data.translations import Entries

Switches = Mapping[tuple[int, ...], Sequence[np.ndarray]]  # translations of a word, by its pieces


def switches(entries: Entries) -> Switches:
    """What each word may become: its translations of any number of pieces, repeated as often as the entries are.

    >>> switches(Entries(pieces=[(4, 8, 3)], words=[((5, 6), (9,), 3)]))
    {(4,): [array([8])], (5, 6): [array([9])]}
    """
    found = defaultdict(list)
    pieces = [((piece,), (translation,), mask) for piece, translation, mask in entries.pieces]
    for word, translation, _ in sorted([*pieces, *entries.words]):
        found[word].append(np.array(translation, dtype=np.int64))
    return dict(found)


@dataclass(frozen=True)
class CodeSwitching:
    """A share of the words that have a translation becomes one of theirs, before anything is masked.

    Words in another language are shown and not predicted, so that the model learns from their context what they mean
    and never to write one language in the midst of another one::

        tokens   <s> _the _small _cat s _sleep . </s>
        becomes  <s> _the _small _chat s _sleep . </s>      of _cat s, which has two pieces as _chat s has
        becomes  <s> _the _petit _cat s _sleep . </s>

    Where the number of pieces changes the rest of the item moves, and what goes beyond its former length is cut.

    Attributes:
        rate: probability that a word with a translation is replaced, in [0, 1].
        word_starts: ids that begin a word, bool, shape (V,).

    Source: the input of PreAlign (Li et al. 2024, https://arxiv.org/abs/2407.16222) and of many before it, e.g. Lin et
    al. 2020, https://arxiv.org/abs/2010.03142
    """

    rate: float
    word_starts: np.ndarray

    def __call__(self, tokens: np.ndarray, rng: np.random.Generator, words: Switches) -> tuple[np.ndarray, np.ndarray]:
        """The item with some words in another language.

        Args:
            tokens: ids, int64, shape (T,); left as it is.
            rng: the only source of randomness.
            words: translations of the words of the item's language.

        Returns:
            ids, int64, shape (at most T,), and which of them are of another language, bool, the same shape.
        """
        bounds = np.append(np.flatnonzero(self.word_starts[tokens]), len(tokens))
        drawn = np.flatnonzero(rng.random(len(bounds) - 1) < self.rate)
        parts, foreign, at = [], [], 0
        for start, end in zip(bounds[drawn], bounds[drawn + 1], strict=True):
            options = words.get(tuple(tokens[start:end].tolist()))
            if options is None:
                continue
            translation = options[int(rng.random() * len(options))]
            parts += [tokens[at:start], translation]
            foreign += [np.zeros(start - at, dtype=bool), np.ones(len(translation), dtype=bool)]
            at = end
        parts.append(tokens[at:])
        foreign.append(np.zeros(len(tokens) - at, dtype=bool))
        return tuple(np.concatenate(part)[: len(tokens)] for part in (parts, foreign))
