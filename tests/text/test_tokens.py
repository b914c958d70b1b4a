"""Words: no mark and no joiner is ever parted from its base, whatever the script."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.text.corpus import Cleaning
from fairseq_align.text.normalise import normalise
from fairseq_align.text.tokens import tokenize

SCRIPTS = {  # language code and block, first and last character; letters and marks are told by Unicode's categories
    "Latin": ("yo", 0x61, 0x17F),
    "Greek": ("el", 0x370, 0x3FF),
    "Cyrillic": ("ru", 0x400, 0x4FF),
    "Hebrew": ("he", 0x590, 0x5FF),
    "Arabic": ("fa", 0x620, 0x6FF),
    "Syriac": ("syr", 0x710, 0x74F),
    "Thaana": ("dv", 0x780, 0x7B1),
    "N'Ko": ("nqo", 0x7CA, 0x7F3),
    "Devanagari": ("hi", 0x900, 0x97F),
    "Bengali": ("bn", 0x980, 0x9FF),
    "Gurmukhi": ("pa", 0xA00, 0xA7F),
    "Gujarati": ("gu", 0xA80, 0xAFF),
    "Oriya": ("or", 0xB00, 0xB7F),
    "Tamil": ("ta", 0xB80, 0xBFF),
    "Telugu": ("te", 0xC00, 0xC7F),
    "Kannada": ("kn", 0xC80, 0xCFF),
    "Malayalam": ("ml", 0xD00, 0xD7F),
    "Sinhala": ("si", 0xD80, 0xDFF),
    "Thai": ("th", 0xE00, 0xE7F),
    "Lao": ("lo", 0xE80, 0xEFF),
    "Tibetan": ("bo", 0xF40, 0xFBC),
    "Burmese": ("my", 0x1000, 0x109F),
    "Khmer": ("km", 0x1780, 0x17DD),
    "Mongolian": ("mn", 0x1820, 0x18AA),
}
JOINERS = "\u00ad\u200c\u200d"


def members(first: int, last: int, kind: str) -> list[str]:
    return [char for char in map(chr, range(first, last + 1)) if unicodedata.category(char)[0] == kind]


@pytest.mark.parametrize("script", SCRIPTS)
@settings(max_examples=30)
@given(data=st.data())
def test_no_mark_is_parted_from_its_letter(script, data):
    lang, first, last = SCRIPTS[script]
    marks = [*members(first, last, "M"), *members(0x300, 0x30C, "M"), *JOINERS]
    letter = st.sampled_from(members(first, last, "L"))
    syllables = st.builds(str.__add__, letter, st.text(marks, max_size=3))
    words = st.lists(st.lists(syllables, min_size=1, max_size=4).map("".join), min_size=1, max_size=4)
    text = normalise(" ".join(data.draw(words)))
    assert Cleaning(lang, split=False).sentences(text) == [text]
    (spaced,) = Cleaning(lang, split=False).sentences(f"({text}) 5!")
    assert spaced == f"( {text} ) 5 !"


@given(st.text("aé1🙂👩⚕.,'!-。 " + JOINERS + "\u0301\u0e31\ufe0f\u20e3\u094d\U0001f3fd", max_size=20), st.booleans())
def test_only_spaces_come_in(text, split):
    """Whatever stands where: the characters are those of the text, and no word begins with a mark that had a base."""
    text = normalise(text)
    sentences = Cleaning("en", split=split).sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    marked = set(JOINERS + "\u0301\u0e31\ufe0f\u20e3\u094d\U0001f3fd")
    begin = [word[0] for sentence in sentences for word in sentence.split() if word[0] in marked]
    assert begin == [word[0] for word in text.split() if word[0] in marked]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ที่นี่เป็นที่ที่ดีมาก ไม่ใช่บ้าน", "ที่นี่เป็นที่ที่ดีมาก ไม่ใช่บ้าน"),
        ("မြန်မာနိုင်ငံသည် ကောင်းသည်။", "မြန်မာနိုင်ငံသည် ကောင်းသည် ။"),
        ("ភាសាខ្មែរ ជាភាសា", "ភាសាខ្មែរ ជាភាសា"),
        ("نمی‌خواهم، نه.", "نمی‌خواهم ، نه ."),
        ("Ó ní ọ̀rẹ́ (ẹ̀gbọ́n).", "Ó ní ọ̀rẹ́ ( ẹ̀gbọ́n ) ."),
        ("за́мок, a co\u00adop", "за́мок , a co\u00adop"),
        ("hi👩\u200d💻 1\ufe0f\u20e3 ❤\ufe0f👍🏽!", "hi 👩\u200d💻 1\ufe0f\u20e3 ❤\ufe0f 👍🏽 !"),
        ("don't d\u0331on't U.S. Mr. a", "don 't d\u0331on 't U.S. Mr. a"),
        ("\u0301a DOTMULTI", "\u0301a DOTMULTI"),
    ],
)
def test_words_by_hand(text, words):
    assert " ".join(tokenize(text, "en")) == words


def test_a_mark_on_a_full_stop_does_not_begin_a_sentence():
    assert Cleaning("hi").sentences("है।\ufe00 वह") == ["है ।\ufe00 वह"]
    assert Cleaning("hi").sentences("है।\ufe00वह") == ["है ।\ufe00 वह"]
    assert Cleaning("hi").sentences("है।वह") == ["है ।", "वह"]
