"""The vocabulary, fairseq's ``Dictionary`` in ``dict.txt``: read, written, identified, doubled; what its symbols mean.

Symbols are SentencePiece pieces in SentencePiece order, after fairseq's four specials
``<s> <pad> </s> <unk>``. A word begins at a piece that starts with U+2581 (``WORD_START``).

A line of ``dict.txt`` is a symbol, a space and its count, so a symbol may hold any character but ``SEPARATORS``: XLM-R
has the piece U+0085, which Python calls white space. No text is written in such a piece here, for white space of every
kind separates words (``normalise``); its row and its id are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines, writing
from fairseq_align.text.sentences import TERMINATORS

if TYPE_CHECKING:
    import numpy as np
    from fairseq.data import Dictionary

WORD_START = "\u2581"
MASK = "<mask>"
SEPARATORS = frozenset(" \n\r")  # of symbol and count, and of lines to those who read with universal newlines
_MASKS = re.compile(r"<mask(:[^>]+)?>")
SUFFIX = "~"
OVERWRITE = "#fairseq:overwrite"
_LINE = re.compile(rf"(?P<symbol>[^ ]+) (?P<count>[+-]?[0-9]{{1,18}})(?P<flag> {OVERWRITE})?")


def of_symbols(symbols: Iterable[str], counts: Iterable[int] = repeat(1)) -> Dictionary:
    """A dictionary of symbols in this order, each with its count; the first has id 4, after fairseq's specials.

    A symbol that comes again has an id of its own, and is found at its last one.

    Example:
        >>> labels = of_symbols(["NOUN", "VERB"])
        >>> labels.index("VERB"), pieces(labels)
        (5, ['NOUN', 'VERB'])
    """
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for symbol, count in zip(symbols, counts, strict=False):
        dictionary.add_symbol(symbol, n=count, overwrite=True)
    return dictionary


def load(path: str | Path) -> Dictionary:
    """Read ``dict.txt``: ``<symbol> <count>`` a line, and ``#fairseq:overwrite`` where a symbol comes again.

    The id of a symbol that comes again is the last one; the earlier ids stay, too.

    Raises:
        InputError: the file is missing or a line has another form, or a symbol comes again without the flag.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"{path}: found no dictionary, expected dict.txt of the binarized data; "
            "copy it there or run fairseq-preprocess"
        )
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for number, line in read_lines(path, longest=LONGEST_ROW):
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise InputError(
                f"{path}:{number}: found {line!r:.60}, expected '<symbol> <count>'; make the file again with "
                "fairseq-align subword"
            )
        symbol, overwrite = match["symbol"], match["flag"] is not None
        if symbol in dictionary and not overwrite:
            raise InputError(
                f"{path}:{number}: found {symbol!r:.60} again, expected each symbol once; "
                f"write {OVERWRITE} behind its count if the later one counts, or make the file again"
            )
        dictionary.add_symbol(symbol, n=int(match["count"]), overwrite=overwrite)
    return dictionary


def save(dictionary: Dictionary, path: str | Path) -> None:
    """Write ``dict.txt``; the file appears under its name only when it is complete.

    A symbol that came before, among fairseq's specials or the pieces, gets the flag without which fairseq refuses it.
    """
    first = dictionary.nspecial
    known = set(dictionary.symbols[:first])
    with writing(path) as file:
        for symbol, count in zip(dictionary.symbols[first:], dictionary.count[first:], strict=True):
            file.write(f"{symbol} {count} {OVERWRITE}\n" if symbol in known else f"{symbol} {count}\n")
            known.add(symbol)


def install(dictionary: Dictionary, path: Path, made_by: str) -> None:
    """Write ``dict.txt``; an existing one with the same symbols, possibly followed by derived ones, is kept.

    Args:
        made_by: where the symbols come from, for the message.

    Raises:
        InputError: the existing file gives other ids.
    """
    if not path.exists():
        save(dictionary, path)
        return
    existing = load(path)
    present, half = pieces(existing), derived_size(existing)
    if pieces(dictionary) not in (present, present[:half]):
        raise InputError(
            f"{path}: found other symbols than those of {made_by}, expected the same; "
            "choose another --out, or remove the file and its data"
        )


def pieces(dictionary: Dictionary) -> list[str]:
    """Symbols of a dictionary without fairseq's specials and the mask symbols at the end."""
    symbols = dictionary.symbols[dictionary.nspecial :]
    while symbols and _MASKS.fullmatch(symbols[-1]):
        symbols.pop()
    return symbols


def language_mask(lang: str) -> str:
    """Mask symbol whose target is a word of a language (DICT-MLM).

    Example:
        >>> language_mask("fr")
        '<mask:fr>'
    """
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
    """Which ids begin a word: bool, shape (V,); specials and mask symbols are words of their own."""
    import numpy as np

    starts = np.array([symbol.startswith(WORD_START) for symbol in dictionary.symbols])
    starts[: dictionary.nspecial] = True
    starts[dictionary.nspecial + len(pieces(dictionary)) :] = True
    return starts


def sentence_final(dictionary: Dictionary) -> np.ndarray:
    """Which ids are sentence-final punctuation alone (``.``, ``?!``, their transliterations): bool, shape (V,)."""
    import numpy as np

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
    ``\u2581the`` -> ``\u2581the~``; its id is the id of the piece plus the number of pieces. Language masks come after
    the pieces.

    Example:
        >>> pieces(double(of_symbols(["\u2581a", "b"])))
        ['▁a', 'b', '▁a~', 'b~']
    """
    if derived_size(dictionary) is not None:
        raise ValueError("this dictionary has derived pieces already")
    symbols = pieces(dictionary)
    suffix = SUFFIX
    while any(symbol.endswith(suffix) for symbol in symbols):
        suffix += SUFFIX
    counts = dictionary.count[dictionary.nspecial :][: len(symbols)]
    masks = dictionary.symbols[dictionary.nspecial + len(symbols) :]
    derived = (symbol + suffix for symbol in symbols)
    return of_symbols([*symbols, *derived, *masks], [*counts, *counts, *(1 for _ in masks)])


def head(dictionary: Dictionary, count: int) -> Dictionary:
    """A dictionary of the first ``count`` pieces."""
    first = slice(dictionary.nspecial, dictionary.nspecial + count)
    return of_symbols(dictionary.symbols[first], dictionary.count[first])
