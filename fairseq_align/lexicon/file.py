"""Lexicon files: translation pairs in pieces, read and written. The bilingual dictionary is always called lexicon.

A file is TSV, one translation pair a line, ``source pieces<TAB>target pieces[<TAB>weight]``; the pieces of a word are
separated by spaces. Many-to-many is normal. A line that starts with ``#`` and holds no tab is a comment; comments carry
provenance, and ``# dictionary: <checksum>`` names the vocabulary that the pieces belong to (``vocabulary.checksum``).

    # dictionary: 52f1c0a8d3e7
    \u2581house\t\u2581maison
    \u2581cat\t\u2581ch at\t0.5
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines, writing
from fairseq_align.text import vocabulary

if TYPE_CHECKING:
    from fairseq.data import Dictionary

DICTIONARY_COMMENT = "# dictionary: "
MARK = "\ufeff"  # of the order of bytes, at the beginning of files
EXPECTED = "a lexicon; make it with fairseq-align lexicon"


class Entry(NamedTuple):
    """One translation pair, in pieces."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    weight: float = 1.0


def read(path: str | Path) -> tuple[list[Entry], str | None]:
    """Read a lexicon.

    Returns:
        its entries in file order, and the checksum of the vocabulary it was made for, if it says so.

    Raises:
        InputError: the file is missing, empty, not UTF-8, or a line is not a pair.

    Example:
        >>> lines = ["# dictionary: 52f1c0a8d3e7", "▁cat\\t▁ch at\\t0.5"]
        >>> _ = Path("lexicon.tsv").write_text("\\n".join(lines), encoding="utf-8")
        >>> read("lexicon.tsv")
        ([Entry(source=('▁cat',), target=('▁ch', 'at'), weight=0.5)], '52f1c0a8d3e7')
    """
    made_for: list[str] = []
    entries = list(stream(path, made_for.append))
    return entries, made_for[-1] if made_for else None


def stream(path: str | Path, made_for: Callable[[str], object] = lambda checksum: None) -> Iterator[Entry]:
    """The entries of a lexicon in file order, one at a time in memory.

    Args:
        made_for: called with the checksum of each comment that names a vocabulary.

    Raises:
        InputError: as ``read``.
    """
    count = 0
    for number, line in read_lines(path, EXPECTED, LONGEST_ROW):
        line = _without_marks(line)
        if line.startswith("#") and "\t" not in line:
            if line.startswith(DICTIONARY_COMMENT):
                made_for(line.removeprefix(DICTIONARY_COMMENT).strip())
        elif line.strip():
            count += 1
            yield _entry(path, number, line)
    if not count:
        raise InputError(
            f"{path}: found no translation pair, expected 'source<TAB>target' lines; make it with fairseq-align lexicon"
        )


def _without_marks(line: str) -> str:
    """A line without the byte order marks that begin it where files were joined; one that is a piece stays."""
    rest = line.lstrip(MARK)
    return MARK + rest if rest != line and rest.startswith(("\t", " ")) else rest


def _entry(path: str | Path, number: int, line: str) -> Entry:
    fields = line.split("\t")
    source, target = (tuple(field.split(" ")) for field in (fields + ["", ""])[:2])
    if len(fields) not in (2, 3) or "" in source or "" in target:
        raise InputError(
            f"{path}:{number}: found {line!r:.200}, expected 'source<TAB>target[<TAB>weight]'; "
            "separate the two words by one tab and the pieces of a word by one space"
        )
    return Entry(source, target, parse_weight(f"{path}:{number}", fields[2]) if len(fields) == 3 else 1.0)


def parse_weight(where: str, text: str) -> float:
    """The weight of a pair, positive and finite.

    Args:
        where: ``path:line``, for the message.

    Raises:
        InputError: the text is something else.

    Example:
        >>> parse_weight("lexicon.tsv:1", "0.5")
        0.5
    """
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(
            f"{where}: found weight {text!r:.40}, expected a positive number; the last column is for weights only"
        )
    return weight


def write(path: str | Path, entries: Iterable[Entry], dictionary: Dictionary, provenance: Iterable[str] = ()) -> None:
    """Write a lexicon for a vocabulary, whole or not at all.

    Args:
        entries: translation pairs; weights of 1 are left out of the file.
        dictionary: the vocabulary of the pieces, named in a comment.
        provenance: comment lines without the ``#``; a tab would make them data.

    Raises:
        InputError: a source word begins with a byte order mark that would not be read again.
    """
    with writing(path) as file:
        file.writelines("# " + line.replace("\t", " ") + "\n" for line in provenance)
        file.write(f"{DICTIONARY_COMMENT}{vocabulary.checksum(dictionary)}\n")
        for entry in entries:
            source = " ".join(entry.source)
            if _without_marks(f"{source}\t") != f"{source}\t":
                raise InputError(
                    f"{path}: found source pieces {source!r:.200}, expected none with a byte order mark before other "
                    "characters, which is dropped where it is read; leave the pair out"
                )
            weight = "" if entry.weight == 1 else f"\t{entry.weight:g}"
            file.write(f"{source}\t{' '.join(entry.target)}{weight}\n")
