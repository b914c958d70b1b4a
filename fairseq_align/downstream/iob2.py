"""Files of named entities (PAN-X, CoNLL, UNER, GermEval, MultiCoNER) as IOB2: a word and its tag a line, with checks.

    Mary<TAB>B-PER
    left<TAB>O

An empty line ends a sentence. Columns are separated by tabs, or by spaces in a line without one; every line has
as many. The word is the first column and the tag the last, so that a file of predictions (``word,
reference, predicted``) is read with the predicted tags. What a file says of itself is followed:

- words are numbered from 1 in each sentence (UNER, GermEval): word and tag are the second and the third column;
- all words begin with one language, ``en:Mary`` (PAN-X as published): it is taken off;
- tags that end entities or stand alone (``E- S-`` of BIOES, ``L- U-`` of BILOU) become those of IOB2;
- lines such as ``# text = Mary left`` or ``# id 7`` are comments.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from fairseq_align.downstream.labels import BEGIN, INSIDE, OUTSIDE, iob2_labels
from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines
from fairseq_align.text.normalise import normalise

MOST_LINES, LONGEST = 10_000, 1 << 20  # words and characters of a sentence, and of those that are read ahead
SCHEMES = ("iob2", "iob1")
DOCUMENT = "-DOCSTART-"  # separates the documents of CoNLL 2003
ENDS = {"E-": INSIDE, "L-": INSIDE, "S-": BEGIN, "U-": BEGIN}  # prefixes of BIOES and BILOU, and those of IOB2
_TAG = re.compile(r"O|[BIELSU]-.*")
_KEY = re.compile(r"#\s[\w:.\s-]*=")
_LANGUAGE = re.compile(r"[a-z]{2,}(?:-[a-z]+)*:")


class Row(NamedTuple):
    """The columns of a line, and its number, from 1."""

    number: int
    fields: list[str]


class Line(NamedTuple):
    """A word with its tag, and the number of its line, from 1."""

    number: int
    word: str
    tag: str


def read(
    path: str | Path, types: Iterable[str], scheme: str = "iob2", columns: tuple[int, int] | None = None
) -> Iterator[tuple[list[str], list[str]]]:
    """Words (normalised) and IOB2 tags of each sentence of a file, plain or gzipped.

    Args:
        types: of the entities, e.g. LOC, ORG, PER.
        scheme: of the file; tags in ``iob1``, where ``B-`` is only used between adjacent entities of one type, are
            converted to IOB2.
        columns: of word and tag, numbered from 1; None: the first and the last, the second and the third where the
            first counts the words.

    Raises:
        InputError: the file cannot be read; a line has no tag, an unknown one, an ``I-`` that continues nothing, or
            another number of columns than the lines before; only some of the words name a language.

    Example:
        >>> from fairseq_align.files import writing
        >>> with writing("mary-left.iob2") as file:
        ...     _ = file.write("en:Mary\\tB-PER\\nen:left\\tO\\n")
        >>> list(read("mary-left.iob2", ["PER"]))
        [(['Mary', 'left'], ['B-PER', 'O'])]
    """
    known = iob2_labels(list(types))
    rest = _sentences(path)
    first = _ahead(rest)
    numbered = columns is None and _are_numbered(first)
    if columns is None:
        columns = (2, 3) if numbered else (1, 0)
    language = _language(path, first, columns[0] - 1)
    for rows in chain(first, rest):
        sentence = [
            _line(path, row, columns, language, known, count if numbered else None) for count, row in enumerate(rows, 1)
        ]
        tags = [line.tag for line in sentence]
        if scheme == "iob1":
            tags = list(from_iob1(tags))
        else:
            _check(path, sentence)
        yield [line.word for line in sentence], tags


def _ahead(sentences: Iterator[list[Row]]) -> list[list[Row]]:
    """The first sentences, which tell what is true of all: ``MOST_LINES`` words, or all there are."""
    first, words, length = [], 0, 0
    for sentence in sentences:
        first.append(sentence)
        words += len(sentence)
        length += sum(len(field) for row in sentence for field in row.fields)
        if words >= MOST_LINES or length >= LONGEST:
            break
    return first


def _sentences(path: str | Path) -> Iterator[list[Row]]:
    """The sentences of a file as rows of equally many columns, comments left out; one at a time is in memory."""
    sentence: list[Row] = []
    first: Row | None = None
    length = 0
    for number, text in read_lines(path, longest=LONGEST_ROW):
        if not text.strip() or text.startswith(DOCUMENT):
            if sentence:
                yield sentence
            sentence, length = [], 0
            continue
        if _is_comment(text):
            continue
        row = Row(number, text.split("\t") if "\t" in text else [field for field in text.split(" ") if field])
        if len(row.fields) < 2:
            raise InputError(f"{path}:{number}: found {text!r:.60}, expected 'word<TAB>tag'; mend the line")
        first = first or row
        if len(row.fields) != len(first.fields):
            raise InputError(
                f"{path}:{number}: found {len(row.fields)} columns, expected {len(first.fields)} as in line "
                f"{first.number}; mend the line, and separate columns by tabs if words hold spaces"
            )
        sentence.append(row)
        length += len(text)
        if len(sentence) > MOST_LINES or length > LONGEST:
            raise InputError(
                f"{path}:{number}: found a sentence of more than {MOST_LINES:,} words or {LONGEST:,} characters, "
                "expected a shorter one; separate sentences by empty lines"
            )
    if sentence:
        yield sentence


def _is_comment(text: str) -> bool:
    """Whether a line is ``# key = value``, or begins with # and ends with no tag."""
    return text[:1] == "#" and text[1:2].isspace() and bool(_KEY.match(text) or not _TAG.fullmatch(text.split()[-1]))


def _are_numbered(sentences: list[list[Row]]) -> bool:
    """Whether the first of three or more columns counts the words of each sentence from 1."""
    return bool(sentences) and all(
        len(row.fields) > 2 and row.fields[0] == str(count) for rows in sentences for count, row in enumerate(rows, 1)
    )


def _language(path: str | Path, sentences: list[list[Row]], column: int) -> str:
    """The prefix of all words, ``en:``; empty if there is none."""
    rows = [row for sentence in sentences for row in sentence if column < len(row.fields)]
    match = _LANGUAGE.match(rows[0].fields[column]) if rows else None
    if match is None:
        return ""
    without = next((row for row in rows if not row.fields[column].startswith(match[0])), None)
    if without is None:
        return match[0]
    if len(sentences[0]) > 1 and all(row.fields[column].startswith(match[0]) for row in sentences[0]):
        raise _mixed(path, without.number, without.fields[column], match[0])
    return ""


def _mixed(path: str | Path, number: int, word: str, language: str) -> InputError:
    return InputError(
        f"{path}:{number}: found {word!r:.60} without the {language} of the words before, expected it before every "
        "word or none; mend the line"
    )


def _line(
    path: str | Path, row: Row, columns: tuple[int, int], language: str, known: tuple[str, ...], count: int | None
) -> Line:
    """The word and the tag of a row.

    Args:
        count: what the first column must be; None: anything.
    """
    number, fields = row
    if count is not None and fields[0] != str(count):
        raise InputError(
            f"{path}:{number}: found {fields[0]!r:.40} in the first column, expected {count}, as it numbers the words "
            "before; mend the line, or name the columns of word and tag with --columns"
        )
    if len(fields) < max(columns):
        raise InputError(
            f"{path}:{number}: found {len(fields)} columns, expected {max(columns)} or more; check --columns"
        )
    word, tag = fields[columns[0] - 1], fields[columns[1] - 1].strip()
    if not word.startswith(language):
        raise _mixed(path, number, word, language)
    word = word.removeprefix(language)
    if not word.strip():
        raise InputError(f"{path}:{number}: found no word in {fields!r:.60}, expected 'word<TAB>tag'; mend the line")
    tag = ENDS.get(tag[:2], tag[:2]) + tag[2:]
    if tag not in known:
        raise InputError(
            f"{path}:{number}: found tag {tag!r:.40} of {word!r:.40}, expected one of {' '.join(known)}; "
            "mend the tag, or name its type with --types"
        )
    return Line(number, normalise(word) or word, tag)


def _check(path: str | Path, sentence: list[Line]) -> None:
    """Raise ``InputError`` where an ``I-`` continues no entity of its type."""
    previous = OUTSIDE
    for number, word, tag in sentence:
        if tag.startswith(INSIDE) and previous not in (tag, BEGIN + tag[2:]):
            raise InputError(
                f"{path}:{number}: found {tag} of {word!r:.40} after {previous}, expected {BEGIN}{tag[2:]}: in IOB2 "
                "every entity begins with B-; if the file is IOB1, give --scheme iob1"
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


def parse_columns(text: str) -> tuple[int, int]:
    """The columns of word and tag, numbered from 1.

    Raises:
        InputError: the text is something else.

    Example:
        >>> parse_columns("2,3")
        (2, 3)
    """
    if not re.fullmatch("[1-9][0-9]{0,3},[1-9][0-9]{0,3}", text):
        raise InputError(f"--columns: found {text!r}, expected those of word and tag, numbered from 1, such as 2,3")
    word, tag = map(int, text.split(","))
    return word, tag
