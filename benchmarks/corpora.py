"""Random corpora for the benchmarks: sentences of 5 to 45 tokens, a vocabulary of which 70 % begin a word."""

from pathlib import Path

import numpy as np
from fairseq.data import Dictionary

import fairseq_align
from fairseq_align.data import binarized
from fairseq_align.text import vocabulary

# installed or not: fairseq refuses a --user-dir other than what is imported
PLUGIN = Path(fairseq_align.__file__).parent


def dictionary_of(pieces: int) -> Dictionary:
    dictionary = Dictionary()
    for number in range(pieces):
        dictionary.add_symbol(f"{vocabulary.WORD_START if number % 10 < 7 else ''}p{number}")
    return dictionary


def write_corpus(prefix: Path, tokens: int, pieces: int) -> None:
    """Binarized, at least so many tokens of so many pieces."""
    rng = np.random.default_rng(1)
    with binarized.writer(prefix, 4 + pieces) as out:
        while tokens > 0:
            sizes = rng.integers(5, 46, 40000)
            ids = rng.integers(4, 4 + pieces, sizes.sum())
            ids[np.cumsum(sizes) - 1] = 2  # </s>
            out.add(ids, sizes)
            tokens -= len(ids)
