"""Word lists, the most common form of bilingual dictionaries.

Three forms, told apart line by line: MUSE's ``source target`` (one space); TSV, ``source<TAB>target[<TAB>weight]``; and
PanLex's columns, ``eng-000<TAB>house<TAB>fra-000<TAB>maison[<TAB>weight]``, which name the languages and may hold
others. ``dictd.py`` and ``tei.py`` read other files into the same pairs. ``write`` writes the second form.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import LONGEST_ROW, read_lines, writing
from fairseq_align.lexicon.file import parse_weight
from fairseq_align.lexicon.languages import is_turned, warn_without

BRACKETS = {"(": ")", "[": "]", "{": "}", "<": ">"}  # around notes of usage, grammar, references
_BRACKET = re.compile(r"([][(){}<>])")
_STRAY = str.maketrans("", "", ")]}")
_SENSES = re.compile(r"[,;،؛]")  # the last two: Arabic


class Pair(NamedTuple):
    """A word and one translation; an empty ``target`` means that there is none."""

    source: str
    target: str
    weight: float = 1.0


def read(path: str | Path, languages: tuple[str, str] | None = None) -> Iterator[Pair]:
    """Pairs of a word list, plain or packed, in file order.

    Args:
        languages: codes of source and target, ``en``, ``eng`` or ``eng-000``, for PanLex's columns; pairs in the
            opposite direction are swapped, those of other languages come without a translation. A file without such
            columns is named in the log.

    Raises:
        InputError: the file is missing or not UTF-8, or a line has none of the three forms.

    Example:
        >>> _ = Path("en-fr.txt").write_text("house maison\\nice cream\\tglace\\t0.5\\n")
        >>> [tuple(pair) for pair in read("en-fr.txt")]
        [('house', 'maison', 1.0), ('ice cream', 'glace', 0.5)]
    """
    named = False
    for number, line in read_lines(path, longest=LONGEST_ROW):
        line = line.strip("\ufeff\r ")  # files that were joined have their byte order marks inside
        if line:
            fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split(" "))]
            named |= len(fields) > 3
            yield _pair(f"{path}:{number}", line, fields, languages)
    if not named:
        warn_without(path, languages)


def _pair(where: str, line: str, fields: list[str], languages: tuple[str, str] | None) -> Pair:
    if "" in fields[:4] or len(fields) not in ((2, 3, 4, 5) if "\t" in line else (2,)):
        raise InputError(
            f"{where}: found {line!r:.200}, expected 'source target', 'source<TAB>target[<TAB>weight]' or "
            "'language<TAB>source<TAB>language<TAB>target[<TAB>weight]'; separate words of several tokens by a tab"
        )
    weight = parse_weight(where, fields[-1]) if len(fields) % 2 else 1.0
    if len(fields) < 4:
        return Pair(fields[0], fields[1], weight)
    first, source, second, target = fields[:4]
    if languages is None:
        raise InputError(
            f"{where}: found columns of languages, {first:.20} and {second:.20}; name the two with --languages of "
            "fairseq-align lexicon words"
        )
    turned = is_turned(first, second, languages)
    if turned is None:
        return Pair(source, "")
    return Pair(target, source, weight) if turned else Pair(source, target, weight)


def write(path: str | Path, pairs: Iterable[Pair]) -> None:
    """Write a word list, whole or not at all: ``source<TAB>target<TAB>weight``, the weight with six digits.

    Args:
        pairs: their weights are positive; no word holds a tab or the end of a line.

    Example:
        >>> write("en-fr.txt", [Pair("ice cream", "glace", 0.5)])
        >>> Path("en-fr.txt").read_text()
        'ice cream\\tglace\\t0.5\\n'
    """
    with writing(path) as file:
        file.writelines(f"{pair.source}\t{pair.target}\t{pair.weight:.6g}\n" for pair in pairs)


def without_notes(text: str) -> str:
    """Text without what stands in brackets, inside each other or not, and without brackets that have no partner.

    What follows a bracket that is never closed is a note, too; a smiley is dropped whole.

    Example:
        >>> without_notes("folio <n> (fo (print)) [book size]"), without_notes("closing bracket ) :-)")
        ('folio', 'closing bracket')
    """
    kept: list[str] = []
    opened: list[tuple[str, int]] = []  # what closes each note that is open, and where it began in `kept`
    waited: Counter[str] = Counter()  # what closes them
    for part in _BRACKET.split(text):
        if part in BRACKETS:
            opened.append((BRACKETS[part], len(kept)))
            waited[BRACKETS[part]] += 1
        elif waited[part]:
            closing = ""
            while closing != part:
                closing, start = opened.pop()
                waited[closing] -= 1
            del kept[start:]
            continue
        kept.append(part)
    unclosed = [start for closing, start in opened if closing != ">"]  # 3 < 5
    words = "".join(kept[: min(unclosed, default=None)]).split()
    return " ".join(filter(None, map(_without_stray, words)))


def _without_stray(word: str) -> str:
    """A word without closing brackets; nothing is left of one that has no letter besides, such as a smiley."""
    bare = word.translate(_STRAY)
    return bare if bare == word or any(map(str.isalnum, bare)) else ""


def senses(text: str) -> list[str]:
    """The translations that a line of a dictionary lists between commas and semicolons, notes left out.

    Example:
        >>> senses("maison, logis (vieilli, rare); chambre")
        ['maison', 'logis', 'chambre']
    """
    return [sense for part in _SENSES.split(without_notes(text)) if (sense := part.strip())]
