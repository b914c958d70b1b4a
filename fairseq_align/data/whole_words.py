"""The whole words of a binarized text and how often they occur."""

from collections import Counter
from pathlib import Path

from fairseq.data import Dictionary

from fairseq_align.data import binarized
from fairseq_align.lexicon import frequency
from fairseq_align.text import vocabulary


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
