"""Encoders of text: words to pieces, remembered; running text to token ids; a file to a file of pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.files import read_lines, writing
from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.subword import UNKNOWN, encode_word
from fairseq_align.text.unspaced import Watch

if TYPE_CHECKING:
    from fairseq.data import Dictionary
    from sentencepiece import SentencePieceProcessor

REMEMBERED = 1 << 17  # distinct words; most words of a text are among the frequent ones


class WordEncoder:
    """Words to pieces as ``subword.encode_words``; the pieces of the words used last are remembered."""

    def __init__(self, processor: SentencePieceProcessor):
        self._pieces = lru_cache(maxsize=REMEMBERED)(partial(encode_word, processor))

    def __call__(self, words: Iterable[str]) -> list[list[str]]:
        return [list(self._pieces(word)) for word in words]


class TextEncoder:
    """Running text to token ids, as the pre-training text was made: tokenised, then encoded word by word.

    Args:
        lang: ISO 639-1 code, for the rules of tokenisation.
        tokenized: the words of the text are separated by spaces already.

    Attributes:
        watch: has seen all texts.
    """

    def __init__(self, processor: SentencePieceProcessor, dictionary: Dictionary, lang: str, tokenized: bool):
        self.dictionary, self.tokenized, self.watch = dictionary, tokenized, Watch()
        self._cleaning, self._pieces = Cleaning(lang, split=False), WordEncoder(processor)

    def __call__(self, text: str) -> list[int]:
        """Ids without ``</s>``; none for a text without words."""
        sentence = " ".join(self._cleaning.sentences(text, self.tokenized))
        self.watch.see(sentence)
        words = sentence.split()
        return [self.dictionary.index(piece) for word in self._pieces(words) for piece in word]


def encode_file(
    processor: SentencePieceProcessor,
    source: str | Path,
    target: str | Path,
    progress: Callable[[int], object] = lambda sentences: None,
) -> Counter:
    """Write a text in pieces separated by spaces, line by line; an empty line stays an empty line.

    Returns:
        counts of ``sentences``, ``words``, ``pieces`` and ``unknown`` (pieces that are ``<unk>``).
    """
    encode = WordEncoder(processor)
    counts = Counter({name: 0 for name in ("sentences", "words", "pieces", "unknown")})
    with writing(target) as file:
        for _, line in read_lines(source):
            words = line.split()
            pieces = [piece for word in encode(words) for piece in word]
            file.write(" ".join(pieces) + "\n")
            counts.update(sentences=1, words=len(words), pieces=len(pieces), unknown=pieces.count(UNKNOWN))
            progress(1)
    return counts
