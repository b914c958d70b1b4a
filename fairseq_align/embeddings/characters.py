"""Words composed of their characters: a hashed table of n-grams, whose mean is added to that of a word's pieces.

words (ids of pieces) -> ``NGrams.of`` (ids of buckets) -> ``Characters`` (a table that is trained) -> ``composed``
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fairseq_align.embeddings.pooling import word_vectors
from fairseq_align.errors import InputError, needed
from fairseq_align.lexicon.words import Words
from fairseq_align.text import vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary

FROM, TO = 3, 5  # characters of an n-gram
BEGIN, END = "<", ">"  # of a word
STD = 0.1  # of the table at the beginning: the mean of 25 n-grams is as long as a new row of the word embeddings, 0.02
WEIGHT = "characters.weight"  # in the state of a criterion


class NGrams:
    """Numbers of the character n-grams of words, which two words share where they are spelt alike.

    Letters are compared without case. What is not ASCII is transliterated, so that Arabic and Hindi names and loans
    meet French ones. Pieces of a derived language are written in letters of their own: they share nothing with those
    that they are derived from. Different n-grams may have one number.

    >>> dictionary = vocabulary.of_symbols(["\u2581the", "n"])
    >>> NGrams(dictionary, 1000, 3, 4).spelt((4, 5))
    ['<th', 'the', 'hen', 'en>', '<the', 'then', 'hen>']

    Args:
        dictionary: of the words.
        buckets: numbers that there are.
        shortest, longest: characters of an n-gram, the signs of a word's beginning and end among them.

    Source: fastText, Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606
    """

    def __init__(self, dictionary: Dictionary, buckets: int, shortest: int = FROM, longest: int = TO):
        self.dictionary, self.buckets = dictionary, buckets
        self.shortest, self.longest = shortest, longest
        self._letters: dict[int, list[str]] = {}
        self._numbers: dict[tuple[int, ...], list[int]] = {}

    @cached_property
    def _suffix(self) -> str:
        return vocabulary.suffix_of(self.dictionary)

    def letters(self, piece: int) -> list[str]:
        """Characters of a piece; one of a derived language has its mark."""
        if piece not in self._letters:
            symbol, mark = self.dictionary[piece].removeprefix(vocabulary.WORD_START), self._suffix
            if mark and symbol.endswith(mark):
                symbol = symbol.removesuffix(mark)
            else:
                mark = ""
            self._letters[piece] = [letter + mark for letter in transliterated(symbol).casefold()]
        return self._letters[piece]

    def spelt(self, word: Sequence[int]) -> list[str]:
        """The n-grams of a word, at least one, short ones first; one that comes twice is there twice."""
        letters = [BEGIN, *(letter for piece in word for letter in self.letters(piece)), END]
        sizes = range(min(self.shortest, len(letters)), min(self.longest, len(letters)) + 1)
        return ["".join(letters[i : i + n]) for n in sizes for i in range(len(letters) - n + 1)]

    def of(self, words: Words) -> Words:
        """The numbers of the n-grams of P words, as words are written; on the CPU."""
        return Words.of(map(self._of_word, words.tuples()))

    def _of_word(self, word: tuple[int, ...]) -> list[int]:
        if word not in self._numbers:
            self._numbers[word] = [zlib.crc32(ngram.encode()) % self.buckets for ngram in self.spelt(word)]
        return self._numbers[word]


def transliterated(text: str) -> str:
    """Text in ASCII.

    Raises:
        InputError: the text is not, and what the extra ``characters`` installs is missing.
    """
    return text if text.isascii() else needed("anyascii", "characters").anyascii(text)


class Characters(nn.Module):
    """Vectors of character n-grams, a parameter that is trained with the model.

    Args:
        ngrams: of the words.
        weight: the table, shape (buckets, C).
    """

    def __init__(self, ngrams: NGrams, weight: Tensor):
        super().__init__()
        self.ngrams = ngrams
        self.weight = nn.Parameter(weight)

    @classmethod
    def new(cls, ngrams: NGrams, dim: int, seed: int) -> Characters:
        """A table of random vectors, so that words that are spelt alike are near to each other from the beginning."""
        generator = torch.Generator().manual_seed(seed)  # one of its own: the rest of the run stays as it is
        return cls(ngrams, torch.empty(ngrams.buckets, dim).normal_(0, STD, generator=generator))

    def forward(self, ngrams: Words) -> Tensor:
        """Means of the vectors of the n-grams of P words, in float32 at least, shape (P, C)."""
        return word_vectors(self.weight, ngrams)


def composed(table: Tensor, words: Words, characters: Characters | None) -> Tensor:
    """Vectors of P words: the mean over their pieces and, if there is such a table, that over their n-grams.

    Args:
        table: word embeddings, shape (V, C), any float type.
        words: on the device of the table.

    Returns:
        shape (P, C), in float32 at least.
    """
    vectors = word_vectors(table, words)
    return vectors if characters is None else vectors + characters(characters.ngrams.of(words).to(table.device))


def trained(state: object, settings: Mapping, dictionary: Dictionary, model: nn.Module) -> Characters | None:
    """The n-grams of a checkpoint; None: it has none.

    Args:
        state: of the criterion, as the checkpoint has it.
        settings: of the criterion.
        model: a RoBERTa, to whose word embeddings they are added.

    Raises:
        InputError: what is there are no vectors of n-grams.
    """
    weight = state.get(WEIGHT) if isinstance(state, Mapping) else None
    if weight is None:
        return None
    table = model.encoder.sentence_encoder.embed_tokens.weight
    sizes = [settings.get(f"align_characters_{name}") for name in ("from", "to")]
    is_table = isinstance(weight, Tensor) and weight.ndim == 2 and len(weight) and weight.shape[1] == table.shape[1]
    if not (is_table and all(isinstance(size, int) and size > 0 for size in sizes)):
        raise InputError(
            f"found a {WEIGHT} that is no table of character n-grams, expected one of {table.shape[1]} columns; take "
            "another copy of the checkpoint"
        )
    return Characters(NGrams(dictionary, len(weight), *sizes), weight.to(table.device)).requires_grad_(False)
