"""Sentences to words: Moses' rules, which see a letter, a digit or a sign together with the marks on it as one."""

import unicodedata
from functools import cache

from fairseq_align.text.normalise import extends
from fairseq_align.text.sentences import tokenizer

ZERO_WIDTH_JOINER = "\u200d"
LETTER = "\u05d0"  # of a script without capitals


def tokenize(sentence: str, lang: str) -> list[str]:
    """Words of a normalised sentence, by the rules of Moses for a language (ISO 639-1 code).

    What Moses does not know as a letter it makes a word of its own. Combining marks, joiners and the like (``extends``)
    are therefore kept from it, and stay where they were: behind their base. Letters that are younger than its tables
    are shown to it as another one. Emoji that are joined are one.

    Example:
        >>> tokenize("\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48! \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "en")
        ['\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48', '!', '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645']
    """
    moses, chars = tokenizer(lang), set(sentence)
    marks = {char for char in chars if extends(char)}
    if not marks and not any(_is_unknown_letter(char, lang) for char in chars):
        return moses.tokenize(sentence, escape=False)
    clusters = _clusters(sentence, marks)
    shown = [_shown(cluster, lang) for cluster in clusters]
    words = moses.tokenize("".join(shown), escape=False)
    if "".join(words) != "".join("".join(shown).split()):  # a word that Moses uses as a sign, DOTMULTI
        return sentence.split()
    return _with_marks(words, clusters, shown, marks)


def _shown(cluster: str, lang: str) -> str:
    """What Moses sees of a cluster: letters for marks that it does not know, no marks on what is no letter."""
    base, letters = cluster[0], _letters(lang)
    if _is_unknown_letter(base, lang):
        base = LETTER
    if len(cluster) == 1 or base not in letters:
        return base
    return base + "".join(mark if mark in letters else LETTER for mark in cluster[1:])


@cache
def _letters(lang: str) -> frozenset[str]:
    """What Moses knows as a letter or a digit."""
    return frozenset(tokenizer(lang).IsAlnum)


def _is_unknown_letter(char: str, lang: str) -> bool:
    return char > "\x7f" and char not in _letters(lang) and unicodedata.category(char)[0] == "L"


def _clusters(sentence: str, marks: set[str]) -> list[str]:
    """A character each, with the marks behind it; a mark at the beginning of a word is one itself."""
    clusters: list[str] = []
    for char in sentence:
        if char in marks and clusters and not clusters[-1].isspace():
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _with_marks(words: list[str], clusters: list[str], shown: list[str], marks: set[str]) -> list[str]:
    """The words with their marks; what a mark without a base or a joiner binds is one word again."""
    whole: list[str] = []
    place, bound = 0, False
    for word in words:
        while clusters[place].isspace():
            place, bound = place + 1, False
        first, size = place, 0
        while size < len(word):
            size += len(shown[place])
            place += 1
        text = "".join(clusters[first:place])
        if bound:
            whole[-1] += text
        else:
            whole.append(text)
        last, following = clusters[place - 1], clusters[place] if place < len(clusters) else " "
        bound = last[0] in marks or (last[-1] == ZERO_WIDTH_JOINER and unicodedata.category(following[0])[0] == "S")
    return whole
