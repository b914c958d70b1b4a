"""Where sentences end: a paragraph is split at its sentence-final punctuation, abbreviations left alone."""

import re
from functools import cache
from typing import TYPE_CHECKING

from fairseq_align.text.normalise import extends

if TYPE_CHECKING:
    from sacremoses import MosesTokenizer

# sentence-final punctuation; also Urdu, Arabic, Devanagari, CJK
TERMINATORS = frozenset(".!?\u2026\u203d\u06d4\u061f\u0964\u0965\u3002\uff01\uff1f")
UNSPACED_TERMINATORS = "\u0964\u0965\u3002\uff01\uff1f"  # the next sentence may follow without a space
CLOSERS = "\"'\u2019\u201d\u00bb\u203a\u00b4)]\u300d\u300f\uff09"
OPENERS = "\"'`\u2018\u201c\u201e\u00ab\u2039([\u00bf\u00a1\u300c\u300e\uff08"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015"
ABBREVIATIONS = frozenset({"Mr", "Mrs", "Dr", "St", "Mdlle", "Lieut", "Sergt", "Sept", "viz"})  # beside Moses' lists

_ALL_TERMINATORS = "".join(sorted(TERMINATORS))
_END, _CLOSER = f"[{re.escape(_ALL_TERMINATORS)}]", f"[{re.escape(CLOSERS)}]"
_CLOSERS_ONLY = re.compile(f"{_CLOSER}+$")
_UNSPACED = re.compile(f"([{UNSPACED_TERMINATORS}]{_CLOSER}*)(?!{_END}|{_CLOSER})(?=\\S)")
_DASH = re.compile(f"[{re.escape(DASHES)}]")
_WITHOUT_OPENERS = str.maketrans("", "", OPENERS)
_ACRONYM = re.compile(r"[^\W\d_](\.[^\W\d_]+)*")  # J, U.S, a.m, e.g, Ph.D


@cache
def tokenizer(lang: str) -> "MosesTokenizer":
    """Moses' tokeniser of a language (ISO 639-1 code), with English rules where Moses has none of its own."""
    from sacremoses import MosesTokenizer

    return MosesTokenizer(lang)


@cache
def _abbreviations(lang: str) -> tuple[frozenset[str], frozenset[str]]:
    """Words that keep their dot: always, and only before a number (``No. 5``)."""
    moses = tokenizer(lang)
    numeric = frozenset(moses.NUMERIC_ONLY_PREFIXES)
    return ABBREVIATIONS.union(moses.NONBREAKING_PREFIXES) - numeric, numeric


def _is_abbreviation(body: str, following: str, lang: str) -> bool:
    """Whether a word keeps its dot; ``body`` is the word without it, ``following`` the next word."""
    body = _DASH.split(body)[-1].translate(_WITHOUT_OPENERS)
    always, before_number = _abbreviations(lang)
    known = {body, body.capitalize()} if body.isupper() else {body}
    return bool(known & always or (known & before_number and following[:1].isdigit()) or _ACRONYM.fullmatch(body))


def _ends_sentence(word: str, following: str, lang: str) -> bool:
    """Whether a word ends a sentence; in time linear in its length, as a pattern that searches for the end is not."""
    closed = word.rstrip(CLOSERS)
    if TERMINATORS.isdisjoint(word[len(word.rstrip(CLOSERS + _ALL_TERMINATORS)) :]):
        return False
    body = closed.removesuffix(".")
    single_dot = body != closed and body != "" and not body.endswith(".")
    return not (single_dot and _is_abbreviation(body, following, lang))


def _starts_sentence(text: str) -> bool:
    """Whether ``text`` starts, after quotes and brackets, with a capital, a digit, a caseless letter or ``<unk>``."""
    text = text.lstrip(OPENERS)
    first = text[:1]
    return first.isdigit() or (first.isalpha() and not first.islower()) or text.startswith("<unk>")


def split_sentences(paragraph: str, lang: str) -> list[str]:
    """Cut a paragraph, normalised and tokenised or not, where a sentence ends and another may start.

    A sentence ends at a word that ends with one of ``TERMINATORS``, closing quotes and brackets included, if the next
    word starts with a capital, a digit or a letter of a script without capitals. A single dot does not count after
    Moses' abbreviations of the language and a few more (``Mr.``, and ``No.`` before a number), an initial or an
    acronym (``U.S.``). Danda and full-width stops end a sentence without a space, too. A straight double quote that
    stands alone, as in tokenised text, closes if an odd number of them came before it in the paragraph.

    Example:
        >>> for sentence in split_sentences('"Is it he?" said Mr. Smith. "No. It is U.S. Grant."', "en"):
        ...     print(sentence)
        "Is it he?" said Mr. Smith.
        "No.
        It is U.S. Grant."
    """
    words = _UNSPACED.sub(lambda end: end[1] if extends(paragraph[end.end()]) else f"{end[1]} ", paragraph).split()
    sentences, start, ended, in_quotes = [], 0, False, False
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        closes = index > start and bool(_CLOSERS_ONLY.match(word)) and (in_quotes or word != '"')
        if ended and not closes and _starts_sentence(word + following):
            sentences.append(" ".join(words[start:index]))
            start = index
        ended = _ends_sentence(word, following, lang) or (ended and closes)
        in_quotes ^= word.count('"') % 2 == 1
    return [*sentences, " ".join(words[start:])] if words else []
