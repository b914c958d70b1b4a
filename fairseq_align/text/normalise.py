"""Normalisation that every text goes through first: Unicode NFC, no control characters, one kind of white space.

NFC composes characters and puts the marks of a letter into an order of its own: that of Arabic shadda and fatha is not
the one that is typed. SentencePiece composes, too, but keeps the order, so pre-trained models (XLM-R) know words as
they are typed. ``compose`` is NFC but for that: marks keep their place if their class is below ``FIRST_POSITIONAL``,
those of Arabic, Hebrew, Syriac, Thai and Indic scripts. Marks of Latin, Greek and Cyrillic letters are above.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

NOISE = "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]"  # control characters but white space, byte order marks
FIRST_POSITIONAL = 200  # canonical combining class; below it are classes of single marks ("fixed position")
BARRIER = "\x01"  # a control character, which NFC moves no mark across
_NOISE = re.compile(NOISE)
_LAST = 0x20000  # there is no combining mark of a class other than 0 above


@cache
def barrier_pattern() -> str:
    """Regular expression that matches before each mark of a class below ``FIRST_POSITIONAL`` that follows a mark.

    Python's ``re`` and Oniguruma of tokenizer.json read it alike; a letter that has a mark in it counts as one.
    """
    decomposed = {code: unicodedata.normalize("NFD", chr(code)) for code in range(_LAST)}
    first = (code for code, text in decomposed.items() if 0 < unicodedata.combining(text[0]) < FIRST_POSITIONAL)
    last = (code for code, text in decomposed.items() if unicodedata.combining(text[-1]))
    return f"(?<={_class_of(last)})(?={_class_of(first)})"


def _class_of(codes: Iterable[int]) -> str:
    """A class of a regular expression, of ascending code points."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(f"{chr(start)}-{chr(end)}" for start, end in ranges) + "]"


def compose(text: str, form: str = "NFC") -> str:
    r"""NFC or NFKC that leaves the marks of Arabic, Hebrew, Syriac, Thai and Indic letters in the order of the text.

    Example:
        >>> compose("cafe\u0301"), compose("\u0628\u0651\u064e") == "\u0628\u0651\u064e"
        ('café', True)
    """
    if unicodedata.is_normalized(form, text):
        return text
    return unicodedata.normalize(form, re.sub(barrier_pattern(), BARRIER, text)).replace(BARRIER, "")


def normalise(text: str) -> str:
    r"""Text that is composed, without control characters or byte order marks, every run of white space one space.

    There is none at the ends.

    Example:
        >>> normalise(" cafe\u0301\t au\u00a0lait\x07 ")
        'café au lait'
    """
    return " ".join(compose(_NOISE.sub("", text)).split())


@cache
def extends(char: str) -> bool:
    """Whether a character belongs to the one before it: a combining mark, a joiner, a soft hyphen, a skin tone.

    Example:
        >>> extends("\u0301"), extends("\u200c"), extends("a")
        (True, True, False)
    """
    return char > "\x7f" and (
        unicodedata.category(char)[0] == "M"
        or char in "\u00ad\u180e\u200c\u200d\u2060"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"  # letters of a flag of a region
    )
