"""Forms of dictionary files: a reader for each suffix, all giving the same pairs."""

from collections.abc import Callable, Iterator
from pathlib import Path

from fairseq_align.files import unpacked_name
from fairseq_align.lexicon import dictd, tei, wordlist
from fairseq_align.lexicon.languages import warn_without
from fairseq_align.lexicon.wordlist import Pair

# a new form is a module with such a reader and a row here
READERS: dict[str, Callable[..., Iterator[Pair]]] = {".index": dictd.read, ".tei": tei.read}
CHOOSE_LANGUAGES = {tei.read, wordlist.read}  # readers that are given the languages, too: their files name some


def read(path: Path, languages: tuple[str, str] | None = None) -> Iterator[Pair]:
    """Translation pairs of a dictionary file, by its suffix; a file without a reader in ``READERS`` is a word list.

    Args:
        path: may end in a suffix of ``files.PACKED`` after its own.
        languages: codes of source and target, for files that name languages; of others the log says that they do not.

    Raises:
        InputError: as the reader.

    Example:
        >>> _ = Path("en-fr.txt").write_text("house maison\\n")
        >>> next(read(Path("en-fr.txt")))
        Pair(source='house', target='maison', weight=1.0)
    """
    reader = READERS.get(Path(unpacked_name(path)).suffix, wordlist.read)
    if reader in CHOOSE_LANGUAGES:
        return reader(path, languages)
    warn_without(path, languages)
    return reader(path)
