"""Kinds of words: by hand, and the edit distance against its definition."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.lexicon.word_kinds import ALIKE, capitals, distance, kind
from fairseq_align.text import vocabulary

UNKNOWN = {}, {}  # texts that have none of the words


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("radio", "radio", "same"),
        ("Radio", "radio", "same"),  # capitals are no letters of their own
        ("school", "école", "other"),  # sch-o-ol, e-c-o-le: 4 of 6
        ("water", "Wasser", "alike"),  # t -> s, + s: 2 of 6
        ("house", "Haus", "alike"),  # o -> a, - e: 2 of 5, just alike
        ("hand", "mano", "other"),  # 2 of 4
        ("chef", "chèf", "alike"),  # not the same letters; without marks they are
        ("city", "ville", "other"),
    ],
)
def test_kinds_of_spelling_by_hand(source, target, expected):
    assert kind(source, target, UNKNOWN) == kind(target, source, UNKNOWN) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (({"paris": True}, {"paris": True}), "name"),
        (({"paris": True}, {}), "name"),  # the other text does not say, or its script has no capitals
        (({}, {"paris": True}), "name"),
        (({"paris": True}, {"paris": False}), "same"),  # as of languages or days, which French writes small
        (({"paris": False}, {}), "same"),
        (({}, {}), "same"),
    ],
)
def test_a_name_is_written_with_a_capital_letter_as_far_as_the_texts_say(texts, expected):
    assert kind("paris", "paris", texts) == expected


def test_where_no_text_has_the_words_the_capitals_of_the_lexicon_count():
    assert kind("London", "Londres", UNKNOWN) == kind("London", "लंदन", UNKNOWN) == "name"
    assert kind("London", "londra", UNKNOWN) == kind("london", "londra", UNKNOWN) == "alike"
    assert kind("Street", "rue", ({"street": False}, {})) == "other"
    assert kind("dog", "Hund", ({"dog": False}, {"hund": True})) == "other"


def test_capitals_count_inside_sentences_alone():
    dictionary = vocabulary.of_symbols(["▁The", "▁the", "▁Lon", "don", "▁saw", ".", '▁"', "▁दिल्ली", "▁Saw", "▁NATO"])
    sentences = [
        ["▁The", "▁NATO", "▁saw", "▁Lon", "don", "▁the", "."],  # The: at the beginning
        ["▁Lon", "don", "▁saw", "▁The", ".", "▁Saw", "▁the", "▁the"],  # Saw: behind a full stop
        ["▁Saw", '▁"', "▁Saw", "▁saw", "▁दिल्ली", "<unk>", "▁Lon", "don"],  # behind a quote; behind an unknown piece
    ]
    ids = [[*map(dictionary.index, sentence), dictionary.eos()] for sentence in sentences]
    found = capitals(np.concatenate(ids), dictionary)
    assert found == {"nato": True, "saw": False, "london": True, "the": False}


def edit_distance(one: str, other: str) -> int:
    """By its definition: the last characters are left out, inserted or changed."""

    @cache
    def of(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(of(i - 1, j) + 1, of(i, j - 1) + 1, of(i - 1, j - 1) + (one[i - 1] != other[j - 1]))

    return of(len(one), len(other))


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_the_distance_is_that_of_its_definition(one, other):
    assert distance(one, other) == edit_distance(one, other) / max(len(one), len(other), 1)
    assert distance(one, other) == distance(other, one) <= 1 and (distance(one, other) == 0) == (one == other)


def test_the_bound_is_inclusive():
    assert distance("abcde", "abcxy") == ALIKE
