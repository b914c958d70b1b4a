"""Dictionaries in TEI, the source form of FreeDict: ``<entry>`` with ``<orth>`` and ``<cit type="trans"><quote>``.

    <entry><form><orth>house</orth></form>
     <sense><cit type="trans" xml:lang="fr"><quote>maison, logis (vieilli)</quote></cit></sense>
     <re type="compound"><form><orth>housework</orth></form><sense><def>ménage</def></sense></re></entry>

Also read are TEI Lex-0 (``<cit type="translationEquivalent">``, which may hold a ``<form>``), ``<quote type="trans">``
and TEI P4 (``<trans><tr>``). An entry has the translations of its own senses, and so has an entry inside another one
(``<re>`` or ``<entry>``). A ``<def>`` is a translation where an entry has no other one, unless it is in the language of
the headwords. That is ``xml:lang`` of the form, of the entry, or of what is around the entries, such as ``<body>``.
Examples, inflected forms, notes and grammar are left out; a list between commas is several translations. Files that a
dictionary includes (XInclude) are read, too.

Format: https://tei-c.org/release/doc/tei-p5-doc/en/html/DI.html; https://lex0.org
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from fairseq_align.errors import InputError, reason_of
from fairseq_align.files import UNREADABLE, check_unpacked, open_unpacked
from fairseq_align.lexicon.languages import is_turned, language, warn_without
from fairseq_align.lexicon.wordlist import Pair, senses, without_notes

CHUNK = 1 << 16  # bytes read at a time
DEEPEST = 100  # elements inside each other
LONGEST = 1 << 20  # characters of an entry, and bytes of a tag
ELEMENT = 64  # characters of its entry that an element counts for, besides its attributes
NAMES = 10_000  # different names of elements, attributes and prefixes, all of which the parser keeps
MOST_PAIRS = 10_000  # of an entry
MOST_FILES = 1000  # of a dictionary; a file may be included again and again
ENTRIES = frozenset({"entry", "entryFree", "re"})
TRANSLATIONS = frozenset({"trans", "translation", "translationEquivalent"})  # types of cit and quote
INFLECTED = frozenset({"infl", "inflected", "paradigm"})  # types of form
REMARKS = frozenset("bibl etym gen gram gramGrp lbl note number pos pron usg xr".split())  # no part of a word
APART = REMARKS | ENTRIES | {"form", "eg"}  # hold no translation of the entry they stand in
DEEPEST_FILES = 9  # included in each other
INCLUDE = "http://www.w3.org/2001/XInclude}include"
LANG = "http://www.w3.org/XML/1998/namespace}lang"


def read(path: str | Path, languages: tuple[str, str] | None = None) -> Iterator[Pair]:
    """Pairs of a dictionary, plain or packed, in file order; the target is empty where an entry has no translation.

    One entry at a time is in memory. Entities that the file declares itself, which can grow without bound, are refused.

    Args:
        languages: codes of source and target: words that ``xml:lang`` says to be of another language are left out, and
            pairs in the opposite direction are swapped. A file without ``xml:lang`` is named in the log.

    Raises:
        InputError: the file is missing, is no well-formed XML, or an entry or a tag is larger than any dictionary's; or
            it has translations into several languages, and ``languages`` does not say which.

    Example:
        >>> entry = '<entry><form><orth>house</orth></form><cit type="trans"><quote>maison, logis</quote></cit></entry>'
        >>> _ = Path("en-fr.tei").write_text(entry)
        >>> [pair.target for pair in read("en-fr.tei")]
        ['maison', 'logis']
    """
    seen = _Seen(languages)
    yield from _read(Path(path), seen)
    if not seen.named:
        warn_without(path, languages)


@dataclass
class _Seen:
    """What a dictionary, in all its files, has said of languages.

    Attributes:
        languages: codes of source and target that are wanted; None: those of the dictionary.
        target: language of the translations so far, if ``languages`` does not say it.
        named: the languages that translations and headwords are said to be of.
        files: how many were read.
    """

    languages: tuple[str, str] | None
    target: str = ""
    named: set[str] = field(default_factory=set)
    files: int = 0


def _read(path: Path, seen: _Seen, outer: tuple[Path, ...] = ()) -> Iterator[Pair]:
    """The pairs of a file and of those that it includes, in their order; ``outer`` are those that it is included by."""
    seen.files += 1
    if seen.files > MOST_FILES:
        raise InputError(f"{path}: found more than {MOST_FILES:,} files of one dictionary, expected fewer; join them")
    names: dict[str, str] = {}
    parser = expat.ParserCreate(namespace_separator="}", intern=names)
    entries = _Entries(path, parser, names, seen)
    try:
        with open_unpacked(path) as file:
            for number, chunk in enumerate(iter(lambda: file.read(CHUNK), b"")):
                if not number:
                    check_unpacked(path, chunk)
                entries.parse(chunk)
                yield from entries.pairs()
                for part in entries.parts():
                    if part in (path, *outer) or len(outer) == DEEPEST_FILES:
                        raise InputError(f"{path}: found {part} again, expected other files inside; take it out")
                    yield from _read(part, seen, (path, *outer))
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InputError(f"{path}:{error.lineno}: found {error}, expected well-formed TEI") from error
    except (*UNREADABLE, LookupError, ValueError) as error:  # the last two: an unknown encoding
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: found {reason_of(error)}, expected a dictionary in TEI; check the path and the file"
        ) from error


class _Entries:
    """Builds the tree of each entry of a file, and of nothing else, from the events of a parser.

    Attributes:
        names: that the parser has met.
        langs: of each open element from ``<body>`` on, its ``xml:lang`` or that of the element around it.
    """

    def __init__(self, path: Path, parser: expat.XMLParserType, names: dict[str, str], seen: _Seen):
        self.path, self.parser, self.names, self.seen = path, parser, names, seen
        self.given = self.nested = 0
        self.langs: list[str] = []
        self.included: list[str] = []  # names of files
        self.builder: ElementTree.TreeBuilder | None = None  # of the entry that is being read
        self.depth = self.length = 0
        self.complete: list[tuple[int, ElementTree.Element]] = []  # line of the end of each entry, and its tree
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self.data, self.entity
        parser.StartNamespaceDeclHandler = self.namespace
        parser.buffer_text = True

    def parse(self, chunk: bytes) -> None:
        self.given += len(chunk)
        self.parser.Parse(chunk)
        self._check(self.given - self.parser.CurrentByteIndex <= LONGEST, f"a tag of more than {LONGEST:,} bytes")

    def namespace(self, prefix: str | None, uri: str) -> None:
        self.names[f"xmlns:{prefix}"] = uri

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.nested += 1
        self._check(self.nested <= DEEPEST, f"more than {DEEPEST} elements inside each other")
        self._check(len(self.names) <= NAMES, f"more than {NAMES:,} names of elements and attributes")
        local = name.rpartition("}")[2]
        if self.langs or local in ENTRIES | {"body"}:
            self.langs.append(attributes.get(LANG, self.langs[-1] if self.langs else ""))
            if local in ENTRIES and self.langs[-1]:
                attributes[LANG] = self.langs[-1]
        if self.builder is None and name == INCLUDE:
            self.included.append(attributes.get("href", ""))
        if self.builder is None and local in ENTRIES:
            self.builder, self.depth, self.length = ElementTree.TreeBuilder(), 0, 0
        if self.builder is not None:
            self.depth += 1
            self._grow(ELEMENT + sum(len(key) + len(value) for key, value in attributes.items()))
            self.builder.start(name, attributes)

    def end(self, name: str) -> None:
        self.nested -= 1
        if self.langs:
            self.langs.pop()
        if self.builder is None:
            return
        self.builder.end(name)
        self.depth -= 1
        if not self.depth:
            self.complete.append((self.parser.CurrentLineNumber, self.builder.close()))
            self.builder = None

    def data(self, text: str) -> None:
        if self.builder is not None:
            self._grow(len(text))
            self.builder.data(text)

    def _grow(self, characters: int) -> None:
        self.length += characters
        self._check(self.length <= LONGEST, f"an entry of more than {LONGEST:,} characters")

    def entity(self, name: str, *_) -> None:
        self._check(False, f"the declaration of the entity {name}")

    def _check(self, right: bool, found: str) -> None:
        if not right:
            line = self.parser.CurrentLineNumber
            raise InputError(
                f"{self.path}:{line}: found {found:.200}, expected a dictionary in TEI; write it out plainly"
            )

    def pairs(self) -> Iterator[Pair]:
        """Every spelling with every translation of the entries that were completed since the last call."""
        entries, self.complete = self.complete, []
        for line, outer in entries:
            for entry in outer.iter():
                if _name(entry) in ENTRIES:
                    yield from self._pairs(line, entry)

    def parts(self) -> Iterator[Path]:
        """The files that were included since the last call; none outside the folder of this one."""
        included, self.included = self.included, []
        for name in included:
            inside = name and ":" not in name and not Path(name).is_absolute() and ".." not in Path(name).parts
            self._check(bool(inside), f"a part in another place, {name or 'without a name'}")
            yield self.path.parent / name

    def _pairs(self, line: int, entry: ElementTree.Element) -> Iterator[Pair]:
        """Every spelling of the headword with every translation."""
        translations = list(_translations(entry))
        for _, target in translations:
            self._check_target(line, target)
        translations = translations or [word for word in _definitions(entry) if self._may_be_target(word[1])]
        words = list(_headwords(entry))
        self._check(len(words) * len(translations) <= MOST_PAIRS, f"more than {MOST_PAIRS:,} pairs before it")
        for word, source in words:
            self.seen.named.update(filter(None, [language(source), *(language(target) for _, target in translations)]))
            found = False
            for translation, target in translations:
                turned = False if self.seen.languages is None else is_turned(source, target, self.seen.languages)
                if turned is not None and (language(target) == "" or language(source) != language(target)):
                    found = True
                    yield Pair(translation, word) if turned else Pair(word, translation)
            if not found:
                yield Pair(word, "")

    def _may_be_target(self, code: str) -> bool:
        """Whether a definition is in the language of the translations, as far as anybody says."""
        return (
            bool(self.seen.languages)
            or not (language(code) and self.seen.target)
            or language(code) == language(self.seen.target)
        )

    def _check_target(self, line: int, target: str) -> None:
        """Raise ``InputError`` where a second language of translations comes up, and nobody said which is wanted."""
        if self.seen.languages is None and language(target):
            self.seen.target = self.seen.target or target
            if language(target) != language(self.seen.target):
                raise InputError(
                    f"{self.path}:{line}: found translations into {self.seen.target} and {target}, expected one "
                    "language; name source and target with --languages of fairseq-align lexicon words"
                )


Word = tuple[str, str]  # and the code of its language, empty where the file does not say


def _headwords(entry: ElementTree.Element) -> Iterator[Word]:
    """Every spelling of an entry's headword, without notes in brackets."""
    forms = [child for child in entry if _name(child) == "form" and child.get("type") not in INFLECTED]
    for form in (entry, *forms):
        for orth in form:
            if _name(orth) == "orth" and orth.get("extent", "full") == "full":
                text = _text(orth)
                if word := without_notes(text) or text:
                    yield word, _language(orth, form, entry)


def _translations(element: ElementTree.Element) -> Iterator[Word]:
    """The translations of an entry, or of a part of one, without those of entries and examples in it."""
    for child in element:
        name, kind = _name(child), child.get("type", "")
        if name == "cit":
            for place in _words_of_cit(child):
                is_translation = kind in TRANSLATIONS or (not kind and place.get("type") in TRANSLATIONS)
                yield from _senses(place, place, child) if is_translation else ()
        elif name == "tr" or (name == "quote" and kind in TRANSLATIONS):
            yield from _senses(child, child)
        elif name not in APART:
            yield from _translations(child)


def _words_of_cit(cit: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The elements of a ``<cit>`` that hold its words: ``<quote>``, or ``<orth>`` of a ``<form>``."""
    for child in cit:
        if _name(child) in ("quote", "orth"):
            yield child
        elif _name(child) == "form" and child.get("type") not in INFLECTED:
            yield from (orth for orth in child if _name(orth) == "orth")


def _definitions(*elements: ElementTree.Element) -> Iterator[Word]:
    """What the definitions of an entry, or of a part of one, list.

    Args:
        elements: the part and those around it, from the inside.
    """
    for child in elements[0]:
        if _name(child) == "def":
            yield from _senses(child, child, *elements)
        elif _name(child) not in APART | {"cit"}:
            yield from _definitions(child, *elements)


def _senses(element: ElementTree.Element, *named: ElementTree.Element) -> Iterator[Word]:
    """The translations that an element lists, and the language of the first of ``named`` that has one."""
    code = _language(*named)
    for sense in senses(_text(element)):
        yield sense, code


def _language(*elements: ElementTree.Element) -> str:
    return next((element.get(LANG) for element in elements if element.get(LANG)), "")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    """The text of an element without its remarks."""
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: ElementTree.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if _name(child) not in REMARKS:
            yield from _pieces(child)
        yield child.tail or ""
