"""Transforms on hand-written sentences, and their properties."""

import numpy as np
import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.derivation.transforms import (
    Chunk,
    Deriver,
    WordSpans,
    inversion,
    permutation,
    scatter,
    shared_pieces,
    transliteration,
    word_spans,
)
from fairseq_align.lexicon import build
from fairseq_align.text import vocabulary
from tests.support.toy_pieces import EOS, PIECES, UNK, chunk, make_dictionary, plan, text


def inverted(dictionary: Dictionary, some: Chunk) -> np.ndarray:
    return scatter(some.tokens, inversion(words_of(dictionary, some)))


def words_of(dictionary: Dictionary, some: Chunk) -> WordSpans:
    return Deriver(plan("invert"), dictionary).words(some)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("▁the ▁small ▁cat s ▁sleep ▁.", "▁sleep ▁cat s ▁small ▁the ▁. </s>"),
        ("▁the ▁cat s", "▁cat s ▁the </s>"),
        ("▁. ▁. ▁the ▁cat", "▁. ▁. ▁cat ▁the </s>"),  # "... and then" keeps its dots in front
        ("▁the ▁. ▁cat ▁? !", "▁cat ▁. ▁the ▁? ! </s>"),  # inside the sentence punctuation moves
        ("▁. ▁?", "▁. ▁? </s>"),
        ("s ▁cat s ▁.", "▁cat s s ▁. </s>"),  # a sentence may begin inside a word
        ("", "</s>"),
    ],
)
def test_inversion_reverses_words_and_keeps_pieces_and_final_punctuation(sentence, expected):
    dictionary = make_dictionary()
    assert text(dictionary, inverted(dictionary, chunk(dictionary, sentence))) == expected


def test_sentences_of_a_chunk_do_not_touch_each_other():
    dictionary = make_dictionary()
    both = chunk(dictionary, "▁the ▁cat s ▁.", "", "▁small ▁sleep")
    assert text(dictionary, inverted(dictionary, both)) == "▁cat s ▁the ▁. </s> </s> ▁sleep ▁small </s>"


def test_transliteration_shifts_words_and_leaves_specials():
    assert transliteration(plan("transliterate"))[[0, 1, 2, 3, 4, 13]].tolist() == [0, 1, 2, 3, 14, 23]


@given(st.floats(0, 1), st.integers(0, 5))
def test_overlap_leaves_a_fraction_of_the_pieces_as_they_are(overlap, seed):
    table = transliteration(plan("transliterate", overlap=overlap, seed=seed))
    shared = table[4:] == np.arange(4, 4 + len(PIECES))
    assert shared.sum() == round(overlap * len(PIECES))
    assert len(set(table)) == len(table)  # different pieces stay different
    dictionary = vocabulary.double(make_dictionary())
    shared_ids = shared_pieces(plan("transliterate", overlap=overlap, seed=seed))
    pairs = build.of_derivation(dictionary, 1.0, 1, shared_ids).train
    assert {dictionary.index(*entry.source) for entry in pairs} == set(np.flatnonzero(~shared) + 4)


def test_permutation_sorts_words_by_their_keys():
    dictionary = make_dictionary()
    some = chunk(dictionary, "▁the ▁small ▁cat s ▁sleep ▁.", "", "▁the ▁cat")
    keys = np.array([0.3, 0.9, 0.1, 0.2, 0.0, 0.5, 0.5, 0.8, 0.7, 0.6])  # the ., each </s> and words at the edges stay
    assert text(dictionary, scatter(some.tokens, permutation(words_of(dictionary, some), keys))) == (
        "▁cat s ▁sleep ▁the ▁small ▁. </s> </s> ▁cat ▁the </s>"
    )


def test_permutations_do_not_depend_on_chunks():
    dictionary = make_dictionary()
    some = chunk(dictionary, *["▁the ▁small ▁cat s ▁sleep ▁."] * 20)
    whole, _ = Deriver(plan("permute"), dictionary)(some)
    derive = Deriver(plan("permute"), dictionary)
    halves = [derive(Chunk(some.tokens[part], some.sizes[:10]))[0] for part in (slice(0, 70), slice(70, 140))]
    assert np.concatenate(halves).tolist() == whole.tolist()
    assert len({tuple(row) for row in whole.reshape(20, 7)}) > 5
    assert Deriver(plan("permute", seed=2), dictionary)(some)[0].tolist() != whole.tolist()


def test_doubled_dictionary_has_one_new_symbol_a_piece_with_a_suffix_no_piece_ends_with():
    doubled = vocabulary.double(make_dictionary())
    assert len(doubled) == 4 + 2 * len(PIECES)
    assert doubled[4] == "▁the" and doubled[4 + len(PIECES)] == "▁the~~"  # "~" is a piece
    assert vocabulary.derived_size(doubled) == len(PIECES)
    assert vocabulary.derived_size(make_dictionary()) is None
    assert doubled.count[4 + len(PIECES)] == doubled.count[4]


def test_derived_punctuation_and_word_starts_are_those_of_the_source():
    dictionary = vocabulary.double(make_dictionary())
    half = len(PIECES)
    for known in (vocabulary.sentence_final(dictionary), vocabulary.word_starts(dictionary)):
        assert known[4 : 4 + half].tolist() == known[4 + half :].tolist()
    assert [dictionary[i] for i in np.flatnonzero(vocabulary.sentence_final(dictionary))][:3] == ["▁.", "▁?", "!"]


sentences = st.lists(st.lists(st.integers(3, 3 + len(PIECES)), max_size=12), min_size=1, max_size=6)


@given(sentences)
def test_inversion_of_any_text_is_its_own_inverse_and_keeps_the_tokens_of_each_sentence(rows):
    dictionary = make_dictionary()
    # a first piece that goes on with a word would join the word that inversion puts before it
    rows = [[index for index in row if dictionary[index].startswith("▁") or index == UNK] + [EOS] for row in rows]
    some = Chunk(np.array(sum(rows, []), dtype=np.int64), np.array([len(row) for row in rows]))
    once = inverted(dictionary, some)
    assert inverted(dictionary, Chunk(once, some.sizes)).tolist() == some.tokens.tolist()
    at = 0
    for row in rows:
        assert sorted(once[at : at + len(row)]) == sorted(row)
        at += len(row)


@given(sentences, st.permutations(["transliterate", "invert", "permute"]), st.sampled_from(["word", "subword"]))
def test_transforms_commute_with_their_stepwise_application_and_labels_follow(rows, transforms, unit):
    dictionary = vocabulary.double(make_dictionary())
    rows = [row + [EOS] for row in rows]
    some = Chunk(np.array(sum(rows, []), dtype=np.int64), np.array([len(row) for row in rows]))
    tokens, positions = Deriver(plan(*transforms, unit=unit), dictionary)(some)
    stepwise = some.tokens
    for name in transforms:
        stepwise, _ = Deriver(plan(name, unit=unit), dictionary)(Chunk(stepwise, some.sizes))
    assert tokens.tolist() == stepwise.tolist()
    # a label that names its token still does so after both have moved
    labels = some.tokens * 10
    source_of = np.where(tokens < 4, tokens, tokens - len(PIECES))
    assert (scatter(labels, positions) == source_of * 10).all()
    assert sorted(positions.tolist()) == list(range(len(some.tokens)))


def test_inversion_by_subword_reverses_pieces():
    dictionary = vocabulary.double(make_dictionary())
    some = chunk(dictionary, "▁the ▁cat s ▁.")
    assert text(dictionary, Deriver(plan("invert", unit="subword"), dictionary)(some)[0]) == "s ▁cat ▁the ▁. </s>"


@given(st.lists(st.lists(st.booleans(), max_size=9), max_size=6), st.randoms(use_true_random=False))
def test_permutation_is_a_sort_by_sentence_and_key(rows, random):
    """The packed integers of ``permutation`` against ``np.lexsort``; here every word is one token, no word stays."""
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    tokens = np.arange(sizes.sum())
    keys = np.array([random.randrange(8) / 8 for _ in tokens])  # some are equal, none is rounded
    spans = word_spans(Chunk(tokens, sizes), np.ones(len(tokens), bool), np.zeros(len(tokens), bool))
    sentence = np.repeat(np.arange(len(sizes)), sizes)
    assert scatter(tokens, permutation(spans, keys)).tolist() == np.lexsort((keys, sentence)).tolist()
