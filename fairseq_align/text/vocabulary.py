"""What the symbols of a fairseq ``Dictionary`` (``dict.txt``) tell: word starts, punctuation, identity, doubling.

Symbols are SentencePiece pieces in SentencePiece order, after fairseq's four specials
``<s> <pad> </s> <unk>``. A word begins at a piece that starts with U+2581 (``WORD_START``).
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fairseq.data import Dictionary

from fairseq_align.errors import InputError
from fairseq_align.files import writing
from fairseq_align.text.sentences import TERMINATORS

WORD_START = "\u2581"
MASK = "<mask>"
_MASKS = re.compile(r"<mask(:[^>]+)?>")
SUFFIX = "~"


def load(path: str | Path) -> Dictionary:
    """Read ``dict.txt``.

    Raises:
        InputError: the file is missing or a line is not ``<symbol> <count>``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: found no dictionary, expected dict.txt of the binarized data; "
            "copy it there or run fairseq-preprocess"
        )
    try:
        with open(path, encoding="utf-8") as file:
            return Dictionary.load(file)
    except (ValueError, RuntimeError, UnicodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: {reason} Expected one '<symbol> <count>' a line; make the file again with preprocess/subword.py"
        ) from error


def save(dictionary: Dictionary, path: str | Path) -> None:
    """Write ``dict.txt``; the file appears under its name only when it is complete."""
    with writing(path) as file:
        dictionary.save(file)


def pieces(dictionary: Dictionary) -> list[str]:
    """Symbols of a dictionary without fairseq's specials and the mask symbols at the end."""
    symbols = dictionary.symbols[dictionary.nspecial :]
    while symbols and _MASKS.fullmatch(symbols[-1]):
        symbols.pop()
    return symbols


def language_mask(lang: str) -> str:
    """The symbol that asks for a word of a language (DICT-MLM): ``<mask:fr>``."""
    return f"<mask:{lang}>"


def with_language_masks(dictionary: Dictionary, langs: Iterable[str]) -> Dictionary:
    """The dictionary with one mask symbol a language after its pieces; those it has already stay, in their order."""
    extended = head(dictionary, len(pieces(dictionary)))
    for symbol in dict.fromkeys([*dictionary.symbols[len(extended) :], *map(language_mask, langs)]):
        extended.add_symbol(symbol)
    return extended


def checksum(dictionary: Dictionary) -> str:
    """Identity of a vocabulary: 12 hex digits of SHA-256 over its pieces in order; counts do not matter."""
    return hashlib.sha256("\n".join(pieces(dictionary)).encode()).hexdigest()[:12]


def word_starts(dictionary: Dictionary) -> np.ndarray:
    """Which ids begin a word: bool, shape (V,); specials and mask symbols stand alone and count as beginnings."""
    starts = np.array([symbol.startswith(WORD_START) for symbol in dictionary.symbols])
    starts[: dictionary.nspecial] = True
    starts[dictionary.nspecial + len(pieces(dictionary)) :] = True
    return starts


def sentence_final(dictionary: Dictionary) -> np.ndarray:
    """Which ids are sentence-final punctuation alone (``.``, ``?!``, their transliterations): bool, shape (V,)."""
    suffix = suffix_of(dictionary)
    texts = (symbol.removesuffix(suffix).removeprefix(WORD_START) for symbol in dictionary.symbols)
    return np.array([bool(text) and set(text) <= TERMINATORS for text in texts])


def derived_size(dictionary: Dictionary) -> int | None:
    """Number of pieces of the source half if the dictionary has been doubled by ``double``, else None."""
    symbols = pieces(dictionary)
    half = len(symbols) // 2
    if not half or len(symbols) % 2:
        return None
    suffix = symbols[half].removeprefix(symbols[0])
    if not suffix or suffix.strip(SUFFIX):
        return None
    return half if all(b == a + suffix for a, b in zip(symbols[:half], symbols[half:], strict=True)) else None


def suffix_of(dictionary: Dictionary) -> str:
    """Suffix of the derived pieces; empty if the dictionary has not been doubled."""
    half, nspecial = derived_size(dictionary), dictionary.nspecial
    return "" if half is None else dictionary.symbols[nspecial + half].removeprefix(dictionary.symbols[nspecial])


def double(dictionary: Dictionary) -> Dictionary:
    """The dictionary followed by one derived piece for each of its pieces, with the same counts.

    A derived piece is the piece and a suffix of ``~`` that is long enough for no piece to end with it:
    ``\u2581the`` -> ``\u2581the~``; its id is the id of the piece plus the number of pieces.
    """
    if derived_size(dictionary) is not None:
        raise ValueError("this dictionary has derived pieces already")
    symbols = pieces(dictionary)
    suffix = SUFFIX
    while any(symbol.endswith(suffix) for symbol in symbols):
        suffix += SUFFIX
    doubled = Dictionary()
    counts = dictionary.count[dictionary.nspecial :]
    for symbol, count in zip(symbols, counts, strict=False):
        doubled.add_symbol(symbol, n=count)
    for symbol, count in zip(symbols, counts, strict=False):
        doubled.add_symbol(symbol + suffix, n=count)
    for symbol in dictionary.symbols[dictionary.nspecial + len(symbols) :]:
        doubled.add_symbol(symbol)  # language masks come after the pieces
    return doubled


def head(dictionary: Dictionary, count: int) -> Dictionary:
    """A dictionary of the first ``count`` pieces."""
    first = Dictionary()
    for index in range(dictionary.nspecial, dictionary.nspecial + count):
        first.add_symbol(dictionary[index], n=dictionary.count[index])
    return first
