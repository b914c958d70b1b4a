"""Normalisation that every text goes through first: Unicode NFC, no control characters, one kind of white space."""

import re
import unicodedata

NOISE = "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]"  # control characters but white space, byte order marks
_NOISE = re.compile(NOISE)


def normalise(text: str) -> str:
    r"""Unicode NFC, no control characters or byte order marks, every run of white space one space, none at the ends.

    Example:
        >>> normalise(" cafe\u0301\t au\u00a0lait\x07 ")
        'café au lait'
    """
    return " ".join(_NOISE.sub("", unicodedata.normalize("NFC", text)).split())
