"""The whole words of a binarized text and how often they occur."""

import logging
import unicodedata
from collections import Counter
from pathlib import Path

from fairseq.data import Dictionary

from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.lexicon import frequency
from fairseq_align.text import vocabulary

logger = logging.getLogger(__name__)


def count(prefix: str | Path, dictionary: Dictionary) -> Counter[tuple[int, ...]]:
    """Occurrences of the words of a text, as ids of their pieces; those with an unknown piece are left out.

    Args:
        prefix: of the text, see ``binarized.read``.

    Raises:
        InputError: as ``binarized.read``, or the text has ids out of the dictionary.
    """
    starts = vocabulary.word_starts(dictionary)
    starts[dictionary.unk()] = False  # a word goes on behind it
    tokens = binarized.read(prefix).tokens
    binarized.check_ids(prefix, tokens, len(dictionary))
    pieces = range(dictionary.nspecial, dictionary.nspecial + len(vocabulary.pieces(dictionary)))
    counts = frequency.whole_words(tokens, starts)
    return Counter({word: number for word, number in counts.items() if all(map(pieces.__contains__, word))})


def _is_sign(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def frequent(data: Path, lang: str, dictionary: Dictionary, most: int) -> list[tuple[int, ...]]:
    """The most frequent whole words of a language, as ids of their pieces; of equally frequent ones those of lower ids.

    A word has a letter: numbers and signs are their own translations. One with an unknown piece is left out. Pieces of
    punctuation at its end are not its own, as in ``▁house ,`` of a text that is not tokenised.

    Args:
        data: folder of binarized data, of which the training text is read.

    Raises:
        InputError: the data lack the language, or its text has no words.
    """
    path = data / lang / "train"
    letters = {piece for piece, symbol in enumerate(dictionary.symbols) if any(map(str.isalpha, symbol))}
    signs = {piece for piece, symbol in enumerate(dictionary.symbols) if all(map(_is_sign, symbol))}
    counts: Counter[tuple[int, ...]] = Counter()
    for word, number in count(path, dictionary).items():
        length = next((length for length in range(len(word), 0, -1) if word[length - 1] not in signs), 0)
        counts[word[:length]] += number
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    words = [word for word in ranked if not letters.isdisjoint(word)]
    if not words:
        raise InputError(f"{path}.bin: found no whole word, expected a text; binarize the language again")
    logger.info("%s: %d whole words, the %d most frequent are compared", lang, len(words), min(most, len(words)))
    return words[:most]
