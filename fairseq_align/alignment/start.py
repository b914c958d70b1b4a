"""What alignment begins with, as the flags ``--start`` and ``--vectors`` of ``fairseq-align align`` say it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError

METHODS = ("orthogonal", "lexicon", "vectors")


class Start(NamedTuple):
    """How languages get their rows before the first step, see ``rows.started``.

    Attributes:
        method: of ``METHODS``.
        langs: the source language and, for each lexicon, the other one, folders of the data.
        vectors: files of word vectors by language; of the method ``vectors`` alone.
    """

    method: str
    langs: tuple[str, ...]
    vectors: Mapping[str, Path] = {}

    @property
    def name(self) -> str:
        """The start in a record: ``vectors en,fr (fr wiki.fr.vec)``."""
        files = ", ".join(f"{lang} {path.name}" for lang, path in self.vectors.items())
        return f"{self.method} {','.join(self.langs)}" + (f" ({files})" if files else "")


def parse(start: str, vectors: str | None, lexicons: int) -> Start:
    """The start of two flags.

    Example:
        >>> parse("en,fr", None, 1)
        Start(method='orthogonal', langs=('en', 'fr'), vectors={})
        >>> parse("vectors:en,fr", "fr=wiki.fr.vec", 1).name
        'vectors en,fr (fr wiki.fr.vec)'

    Args:
        start: ``METHOD:LANG,...``, without a method orthogonal.
        vectors: ``LANG=FILE,...``; None: no files.
        lexicons: how many there are.

    Raises:
        InputError: the method is unknown, languages and lexicons are not as many, or files and method do not fit.
    """
    method, _, names = start.rpartition(":")
    method, langs = method or METHODS[0], tuple(names.split(","))
    if method not in METHODS:
        raise InputError(f"--start: found method {method!r}, expected one of {', '.join(METHODS)}")
    if len(langs) != lexicons + 1 or not all(langs):
        raise InputError(
            f"--start: found languages {','.join(langs[1:])} for {lexicons} lexicons, expected one for each, in their "
            "order, behind the source language"
        )
    files = {}
    for part in vectors.split(",") if vectors else ():
        lang, _, path = part.partition("=")
        if lang not in langs or not path or lang in files:
            raise InputError(f"--vectors: found {part!r}, expected LANG=FILE for languages of --start; mend the flag")
        files[lang] = Path(path)
    if bool(files) != (method == "vectors"):
        found = f"--vectors with --start {method}" if files else "--start vectors without --vectors"
        raise InputError(f"found {found}, expected both; e.g. --start vectors:en,fr --vectors fr=wiki.fr.vec")
    return Start(method, langs, files)
