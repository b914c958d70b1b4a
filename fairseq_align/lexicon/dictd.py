"""Dictionaries of dictd, the form of FreeDict and of Debian's dict-freedict packages: ``.index`` and ``.dict[.dz]``.

A line of the index is ``headword<TAB>offset<TAB>length``; the two numbers, in base 64, are the bytes of the entry in
the other file, which may be compressed by dictzip, a kind of gzip. An entry as made from FreeDict's TEI:

    house /haʊs/ <n, sg>
    1. maison, logis
    2. chambre (parlement)
       Synonym: {dwelling}
     see: {houses}

Format: dictd(8); https://freedict.org
"""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

from fairseq_align.errors import InputError, reason_of
from fairseq_align.files import LONGEST_ROW, open_unpacked, read_lines
from fairseq_align.lexicon.wordlist import Pair, senses, without_notes

DIGITS = {digit: value for value, digit in enumerate(ascii_uppercase + ascii_lowercase + digits + "+/")}
ABOUT = "00database", "00-database"  # headwords of entries about the dictionary itself
REMARK = re.compile(  # a line that is no translation: `Note: ...`, `see: ...`, any other label of references in braces
    r"\s*(?:(?:see(?: also)?|cf|syn(?:onym)?s?|ant(?:onym)?s?|notes?|examples?)\s*:|\w[\w .()]*:\s*\{)", re.IGNORECASE
)
_SOUND = r"\s/(?=\S)[^/\n]*(?<=\S)/(?=[\s),;]|$)"  # not the slashes of `and / or / not` and `his/her`
PRONUNCIATION = re.compile(_SOUND)
# `Folio <neut> fo,  /fəʊ/`: an abbreviation of the translation; where no note parts them, both are written as one
ABBREVIATION = re.compile(rf"(?<![^,;>\]])(?:[^,;>\]]*,\s*{_SOUND})+")
NUMBER = re.compile(r"^(\d+|[a-z])[.)]\s+")
UNPACKED, ROOM = 10, 1 << 20  # a compressed dictionary holds up to this many times its size, or this many bytes
LONGEST = 1 << 20  # bytes of an entry; those of FreeDict have thousands
REPEATED = 100  # entries are read up to this many times, once for each headword that the index has of them


def read(path: str | Path) -> Iterator[Pair]:
    """Pairs of a dictionary, in the order of its index; the target is empty where an entry names no translation.

    Args:
        path: the ``.index``; ``.dict`` or ``.dict.dz`` is in the same folder.

    Raises:
        InputError: a file is missing or broken, or a line of the index is not that of an entry.
    """
    path = Path(path)
    entries = _entries(path.with_suffix(""))
    seen: set[int] = set()  # hashes, which are a fraction of the pairs; two of 10^8 are equal with probability 3e-4
    left = REPEATED * len(entries)
    for number, line in read_lines(path, "the index of a dictd dictionary", LONGEST_ROW):
        headword, *place = line.split("\t")
        if headword.startswith(ABOUT):
            continue
        start, length = map(_number, place[:2]) if len(place) >= 2 else (None, None)
        left -= length or 0
        if start is None or length is None or start + length > len(entries) or length > LONGEST or left < 0:
            raise InputError(
                f"{path}:{number}: found {line!r:.200}, expected 'headword<TAB>offset<TAB>length' within the entries, "
                f"of at most {LONGEST:,} bytes; the index is not that of the .dict file beside it"
            )
        same = hash((headword.lower(), start))
        if same in seen:  # an index may hold a headword in two spellings of one entry
            continue
        seen.add(same)
        yield from _pairs(_text(path, entries[start : start + length]), headword)


def _pairs(entry: str, headword: str) -> Iterator[Pair]:
    """The translations of one entry; its first line holds the headword as it is spelt, and no translation."""
    first, *lines = entry.strip().splitlines() or [headword]
    spelt = without_notes(PRONUNCIATION.sub("", first)) or without_notes(headword)
    translations = [
        translation
        for line in lines
        if not line.lstrip().startswith('"') and not REMARK.match(line)  # the former is an example
        for translation in senses(PRONUNCIATION.sub("", ABBREVIATION.sub("", NUMBER.sub("", line.strip()))))
    ]
    for translation in translations or [""]:
        yield Pair(spelt, translation)


def _entries(path: Path) -> bytes:
    packed, plain = path.with_name(f"{path.name}.dict.dz"), path.with_name(f"{path.name}.dict")
    try:
        if not packed.exists():
            return plain.read_bytes()
        with open_unpacked(packed, "gzip", UNPACKED, ROOM) as file:
            return file.read()
    except FileNotFoundError as error:
        raise InputError(f"{plain}: found no such file nor {packed.name}, expected the entries of the index") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{packed}: found {reason_of(error)}, expected what dictzip compressed; fetch the file again"
        ) from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        raise InputError(f"{path}: found {byte}, expected UTF-8; convert the file, e.g. with iconv") from error


def _number(text: str) -> int | None:
    """A number in base 64, the most significant digit first; None: not one."""
    value = 0
    for digit in text[:12]:
        if digit not in DIGITS:
            return None
        value = 64 * value + DIGITS[digit]
    return value if 0 < len(text) <= 11 else None
