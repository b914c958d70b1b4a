"""Words in plain Latin letters, so that words of several scripts can be compared by their spelling."""

import functools
import logging
import unicodedata
from collections.abc import Callable

logger = logging.getLogger(__name__)


def latin(word: str) -> str:
    """A word in lower case and Latin letters without marks, where its script can be read.

    Other scripts are transliterated by anyascii, if it is installed; else their words stay as they are.

    Example:
        >>> latin("Élève"), latin("1re"), latin("straße")
        ('eleve', '1re', 'strasse')
    """
    word = word.casefold()
    if not all(unicodedata.name(letter, "").startswith("LATIN") for letter in word if letter.isalpha()):
        return transliteration()(word).casefold()
    return "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))


@functools.cache
def transliteration() -> Callable[[str], str]:
    """What writes other scripts in Latin letters: anyascii; without it nothing, and the log says so."""
    try:
        from anyascii import anyascii
    except ImportError:
        logger.warning(
            "found no anyascii: words of other scripts than Latin are like no Latin word; "
            "EXTRAS=characters bash install.sh brings it"
        )
        return str
    return anyascii
