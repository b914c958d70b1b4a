"""Dictionaries in TEI, the source form of FreeDict: ``<entry>`` with ``<orth>`` and ``<cit type="trans"><quote>``."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from fairseq_align.errors import InputError
from fairseq_align.wordlist import Pair


def read(path: str | Path) -> Iterator[Pair]:
    """Pairs of a dictionary, plain or gzipped, in file order; the target is empty where an entry has no translation.

    Raises:
        InputError: the file is missing, or is no well-formed XML.
    """
    opened = gzip.open if str(path).endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            for _, element in ElementTree.iterparse(file):
                if _name(element) == "entry":
                    yield from _pairs(element)
                    element.clear()
    except ElementTree.ParseError as error:
        raise InputError(f"{path}:{error.position[0]}: found {error}, expected well-formed TEI") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: {error}, expected a dictionary in TEI") from error


def _pairs(entry: ElementTree.Element) -> Iterator[Pair]:
    """Every spelling of the headword with every translation; examples are no translations."""
    words = [_text(orth) for form in entry if _name(form) == "form" for orth in form if _name(orth) == "orth"]
    found = list(_translations(entry))
    for word in filter(None, words):
        for translation in found or [""]:
            yield Pair(word, translation)


def _translations(element: ElementTree.Element) -> Iterator[str]:
    for child in element:
        kind = child.get("type", "")
        if _name(child) == "cit" and kind in ("trans", "translation"):
            yield from filter(None, (_text(quote) for quote in child if _name(quote) == "quote"))
        elif not (_name(child) == "cit" and kind == "example"):
            yield from _translations(child)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())
