"""IOB2 files of named entities (PAN-X, CoNLL): one word a line, its tag in the last column, read with checks.

    Mary<TAB>B-PER
    left<TAB>O

An empty line ends a sentence. Columns are separated by tabs, or by spaces in a line without one. The word is the first
column, so that a file of predictions (``word, reference, predicted``) is read with the predicted tags.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fairseq_align.downstream.labels import BEGIN, INSIDE, OUTSIDE, iob2_labels
from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.text.normalise import normalise

SCHEMES = ("iob2", "iob1")
DOCUMENT = "-DOCSTART-"  # separates the documents of CoNLL 2003


class Line(NamedTuple):
    """A word with its tag, and the number of its line, from 1."""

    number: int
    word: str
    tag: str


def read(path: str | Path, types: Iterable[str], scheme: str = "iob2") -> Iterator[tuple[list[str], list[str]]]:
    """Words (normalised) and IOB2 tags of each sentence of a file, plain or gzipped.

    Args:
        types: of the entities, e.g. LOC, ORG, PER.
        scheme: of the file; tags in ``iob1``, where ``B-`` is only used between adjacent entities of one type, are
            converted to IOB2.

    Raises:
        InputError: the file cannot be read; a line has no tag, an unknown one, or an ``I-`` that continues nothing.

    Example:
        >>> from fairseq_align.files import writing
        >>> with writing("mary-left.iob2") as file:
        ...     _ = file.write("Mary\\tB-PER\\nleft\\tO\\n")
        >>> list(read("mary-left.iob2", ["PER"]))
        [(['Mary', 'left'], ['B-PER', 'O'])]
    """
    known = iob2_labels(list(types))
    lines = (_line(path, number, text, known) for number, text in read_lines(path))
    for ends, sentence in itertools.groupby(lines, key=lambda line: line is None):
        if not ends:
            sentence = list(sentence)
            tags = [line.tag for line in sentence]
            if scheme == "iob1":
                tags = list(from_iob1(tags))
            else:
                _check(path, sentence)
            yield [line.word for line in sentence], tags


def _line(path: str | Path, number: int, text: str, known: tuple[str, ...]) -> Line | None:
    """One line of a file; None where it ends a sentence."""
    if not text.strip() or text.startswith(DOCUMENT):
        return None
    columns = text.split("\t") if "\t" in text else text.split()
    word, tag = columns[0], columns[-1].strip()
    if len(columns) < 2 or not word.strip():
        raise InputError(f"{path}:{number}: found {text!r:.60}, expected 'word<TAB>tag'; mend the line")
    if tag not in known:
        raise InputError(
            f"{path}:{number}: found tag {tag!r} of {word!r}, expected one of {' '.join(known)}; "
            "mend the tag, or name its type with --types"
        )
    return Line(number, normalise(word) or word, tag)


def _check(path: str | Path, sentence: list[Line]) -> None:
    """Raise ``InputError`` where an ``I-`` continues no entity of its type."""
    previous = OUTSIDE
    for number, word, tag in sentence:
        if tag.startswith(INSIDE) and previous not in (tag, BEGIN + tag[2:]):
            raise InputError(
                f"{path}:{number}: found {tag} of {word!r} after {previous}, expected {BEGIN}{tag[2:]}: in IOB2 every "
                "entity begins with B-; if the file is IOB1, give --scheme iob1"
            )
        previous = tag


def from_iob1(tags: list[str]) -> Iterator[str]:
    """Convert the tags of a sentence from IOB1 (Ramshaw & Marcus 1995) to IOB2.

    Example:
        >>> list(from_iob1(["I-PER", "O", "I-PER", "B-PER"]))
        ['B-PER', 'O', 'B-PER', 'B-PER']
    """
    previous = OUTSIDE
    for tag in tags:
        yield BEGIN + tag[2:] if tag.startswith(INSIDE) and previous[2:] != tag[2:] else tag
        previous = tag
