import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.files import read_lines
from fairseq_align.text.normalise import normalise
from fairseq_align.text.sentences import OPENERS, split_sentences

PARAGRAPHS = [
    (
        "en",
        '"Is it he?" said Mr. Smith. "No. It is U.S. Grant."',
        ['"Is it he?" said Mr. Smith.', '"No.', 'It is U.S. Grant."'],
    ),
    (
        "en",
        "See No. 5 in the list. No. Go at 5 p.m. or 3.30.",
        ["See No. 5 in the list.", "No.", "Go at 5 p.m. or 3.30."],
    ),
    (
        "en",
        "“Never!” she cried… Then Mrs. X—Mr. Y. Z.’s wife—left.",
        ["“Never!” she cried…", "Then Mrs. X—Mr. Y. Z.’s wife—left."],
    ),
    ("en", "It ends (so they say.) [True!] Why?! 12 men.", ["It ends (so they say.)", "[True!]", "Why?!", "12 men."]),
    ("en", "MR. SMITH AND DR. JONES. THE END", ["MR. SMITH AND DR. JONES.", "THE END"]),
    ("fr", "— Hé ! dit-il. « Bonjour ! » M. Dupont part.", ["— Hé ! dit-il.", "« Bonjour ! »", "M. Dupont part."]),
    ("ar", "هل جاء؟ نعم. «ذهب.» قال", ["هل جاء؟", "نعم.", "«ذهب.»", "قال"]),
    ("hi", 'यह है।वह है। "अच्छा।" 5 लोग।', ["यह है।", "वह है।", '"अच्छा।"', "5 लोग।"]),
    ("ur", "یہ ہے۔ وہ ہے؟ ہاں", ["یہ ہے۔", "وہ ہے؟", "ہاں"]),
    ("zh", "你好。你是谁？“好。”他说。", ["你好。", "你是谁？", "“好。”", "他说。"]),
    # tokenised: the first quote opens, the second closes, and so on
    (
        "en",
        '" Go . " He left . " Stay , " she said . <unk> sat .',
        ['" Go . "', "He left .", '" Stay , " she said .', "<unk> sat ."],
    ),
    ("en", "H. americanus . It grew 2 @.@ 5 kg .", ["H. americanus .", "It grew 2 @.@ 5 kg ."]),
]


@pytest.mark.parametrize(
    ("lang", "paragraph", "sentences"), PARAGRAPHS, ids=[f"{p[0]}-{i}" for i, p in enumerate(PARAGRAPHS)]
)
def test_paragraphs_are_cut_where_a_reader_would(lang, paragraph, sentences):
    assert split_sentences(paragraph, lang) == sentences


@given(st.text("aB.!?\"'() ।。5…—\u00a0", max_size=60))
def test_splitting_moves_no_character(text):
    sentences = split_sentences(text, "en")
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentences)


def test_real_novels_are_cut_after_sentences_not_after_titles(data_dir):
    path = data_dir / "text" / "en.novels.txt.gz"
    lines = [normalise(line) for _, line in islice(read_lines(path), 3000)]
    cut = [split_sentences(line, "en") for line in lines]
    assert 2 < sum(map(len, cut)) / len(lines) < 5
    # the last sentence of a line ends where the line ends
    assert not [s for found in cut for s in found[:-1] if re.search(r"\b(Mr|Mrs|Dr|Messrs|Rev)\.$", s)]
    assert not [s for found in cut for s in found[1:] if s.lstrip(OPENERS)[:1].islower()]


LONG = {  # of a length; what repeats is what a pattern could try again from every place
    "letters": lambda n: "a" * (n - 1) + ".",
    "leaders": lambda n: "." * (n - 2) + " 5",
    "leaders in a word": lambda n: "." * (n - 1) + "x",
    "dashes": lambda n: "-" * (n - 2) + "a.",
    "openers": lambda n: "(" * (n - 2) + "a.",
    "closers": lambda n: "a." + ")" * (n - 2),
    "closed and open again": lambda n: ".)" * (n // 2 - 1) + "x.",
    "initials": lambda n: "a." * (n // 2),
    "full-width stops": lambda n: "。」" * (n // 2 - 1) + "。x",
    "closers after a full-width stop": lambda n: "。" + "」" * (n - 2) + "!",
    "sentences": lambda n: "Aa. " * (n // 4),
}


@pytest.mark.timeout(60)  # quadratic time would be hours
@pytest.mark.parametrize("text", [make(1_000_000) for make in LONG.values()], ids=LONG)
def test_a_paragraph_of_a_million_letters_is_split_in_linear_time(text):
    assert len(text) == 1_000_000
    assert "".join(split_sentences(text, "en")).replace(" ", "") == text.replace(" ", "")


def test_long_words_keep_the_rules_of_short_ones():
    """The dot of an abbreviation behind dashes and openers ends no sentence, that of a long word does."""
    behind = "-" * 5000 + "(" * 5000
    assert split_sentences(f"{behind}Mr. Smith came. He left.", "en") == [f"{behind}Mr. Smith came.", "He left."]
    assert split_sentences(f"{'a' * 9000}. He left.", "en") == [f"{'a' * 9000}.", "He left."]
    assert split_sentences(f"Index {'.' * 9000} 5", "en") == [f"Index {'.' * 9000}", "5"]
