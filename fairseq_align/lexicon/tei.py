"""Dictionaries in TEI, the source form of FreeDict: ``<entry>`` with ``<orth>`` and ``<cit type="trans"><quote>``."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from fairseq_align.errors import InputError
from fairseq_align.lexicon.wordlist import Pair

CHUNK = 1 << 16  # bytes read at a time
DEEPEST = 100  # elements inside each other
LONGEST = 1 << 20  # characters of an entry


def read(path: str | Path) -> Iterator[Pair]:
    """Pairs of a dictionary, plain or gzipped, in file order; the target is empty where an entry has no translation.

    One entry at a time is in memory. Entities that the file declares itself, which can grow without bound, are refused.

    Raises:
        InputError: the file is missing, or is no well-formed XML.
    """
    opened = gzip.open if str(path).endswith(".gz") else open
    parser = expat.ParserCreate(namespace_separator="}")
    entries = _Entries(path, parser)
    try:
        with opened(path, "rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                parser.Parse(chunk)
                yield from entries.pairs()
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InputError(f"{path}:{error.lineno}: found {error}, expected well-formed TEI") from error
    except (OSError, EOFError, zlib.error, LookupError, ValueError) as error:  # the last two: an unknown encoding
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {error}, expected a dictionary in TEI") from error


class _Entries:
    """Builds the tree of each entry, and of nothing else, from the events of a parser."""

    def __init__(self, path: str | Path, parser: expat.XMLParserType):
        self.path, self.parser = path, parser
        self.builder: ElementTree.TreeBuilder | None = None  # of the entry that is being read
        self.depth = self.length = 0
        self.complete: list[ElementTree.Element] = []
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self.data, self.entity
        parser.buffer_text = True

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.builder is None and name.rpartition("}")[2] == "entry":
            self.builder, self.depth, self.length = ElementTree.TreeBuilder(), 0, 0
        if self.builder is not None:
            self.depth += 1
            self._check(self.depth <= DEEPEST, f"more than {DEEPEST} elements inside each other")
            self.builder.start(name, attributes)

    def end(self, name: str) -> None:
        if self.builder is None:
            return
        self.builder.end(name)
        self.depth -= 1
        if not self.depth:
            self.complete.append(self.builder.close())
            self.builder = None

    def data(self, text: str) -> None:
        if self.builder is not None:
            self.length += len(text)
            self._check(self.length <= LONGEST, f"an entry of more than {LONGEST:,} characters")
            self.builder.data(text)

    def entity(self, name: str, *_) -> None:
        self._check(False, f"the declaration of the entity {name}")

    def _check(self, right: bool, found: str) -> None:
        if not right:
            line = self.parser.CurrentLineNumber
            raise InputError(f"{self.path}:{line}: found {found}, expected a dictionary in TEI; write it out plainly")

    def pairs(self) -> Iterator[Pair]:
        """The pairs of the entries that were completed since the last call."""
        entries, self.complete = self.complete, []
        for entry in entries:
            yield from _pairs(entry)


def _pairs(entry: ElementTree.Element) -> Iterator[Pair]:
    """Every spelling of the headword with every translation; translated examples are left out."""
    words = [_text(orth) for form in entry if _name(form) == "form" for orth in form if _name(orth) == "orth"]
    translations = list(_translations(entry))
    for word in filter(None, words):
        for translation in translations or [""]:
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
