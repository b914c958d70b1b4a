"""Labelled words: for every derivation each stays whole behind its label, whatever its pieces are."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairseq_align.data import binarized
from fairseq_align.derivation import corpus
from fairseq_align.downstream import tagging
from fairseq_align.text import subword, vocabulary
from tests.support.conllu import row
from tests.support.toy_pieces import EOS, PIECES, make_dictionary, plan

PAD = 1
DICTIONARY = vocabulary.double(make_dictionary())
LABELS = vocabulary.of_symbols(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])
# words as ids: <unk> (3) anywhere, several pieces that begin with U+2581, or none
words = st.lists(st.integers(3, 3 + len(PIECES)), min_size=1, max_size=4)
sentences = st.lists(st.lists(words, max_size=7), min_size=1, max_size=4)


def derive(folder: Path, rows, tags, *transforms: str, unit="word", labels=None, dictionary=DICTIONARY):
    """Words of each sentence and their labels, written as labelled data, derived and read back."""
    tokens = [sum(words, []) + [EOS] for words in rows]
    values = [
        [id for word, tag in zip(words, row_tags, strict=True) for id in [tag, *[PAD] * (len(word) - 1)]] + [PAD]
        for words, row_tags in zip(rows, tags, strict=True)
    ]
    for name, content in (("a", tokens), ("a.label", values)):
        with binarized.writer(folder / name, len(dictionary)) as out:
            out.add(np.array(sum(content, [])), np.array([len(sentence) for sentence in content]))
    record = replace(plan(*transforms, unit=unit), source_pieces=vocabulary.derived_size(dictionary) or len(dictionary))
    corpus.derive_corpus(folder / "a", folder / "b", record, dictionary, label_dictionary=labels)
    derived, derived_labels = binarized.read_labelled(folder / "b")
    return [
        labelled_words(derived.tokens[a:b], derived_labels.tokens[a:b]) for a, b in pairwise(derived.offsets.tolist())
    ]


def labelled_words(tokens: np.ndarray, labels: np.ndarray) -> list[tuple[int, tuple[int, ...]]]:
    """Each label with the tokens from it up to the next one, ``</s>`` left out."""
    assert tokens[-1] == EOS and labels[-1] == PAD
    places = [*np.flatnonzero(labels != PAD), len(tokens) - 1]
    assert places[0] == 0
    return [(int(labels[a]), tuple(tokens[a:b].tolist())) for a, b in pairwise(places)]


@pytest.mark.parametrize(
    "transforms", [("invert",), ("permute",), ("transliterate", "invert"), ("invert", "permute", "transliterate")]
)
@settings(max_examples=50)
@given(sentences, st.data())
def test_every_word_stays_whole_behind_its_label(transforms, rows, data):
    """Labels are numbered through, so that each names its word."""
    tags = [[4 + 7 * number + place for place in range(len(words))] for number, words in enumerate(rows)]
    shift = len(PIECES) * ("transliterate" in transforms)
    with TemporaryDirectory() as folder:
        derived = derive(Path(folder), rows, tags, *transforms)
    for words, row_tags, found in zip(rows, tags, derived, strict=True):
        expected = {tag: tuple(id + shift * (id > 3) for id in word) for word, tag in zip(words, row_tags, strict=True)}
        assert len(found) == len(words) and dict(found) == expected
    if transforms[-1] == "invert":  # the order, too: reversed but for the marks . ? ! at the edges, ids 9, 10 and 11
        marks = [all(id - shift in (9, 10, 11) for id in word) for found in derived for _, word in found]
        if not any(marks):
            assert [tag for found in derived for tag, _ in found] == [tag for tags in tags for tag in reversed(tags)]


@settings(max_examples=50)
@given(sentences)
def test_inversion_by_pieces_leaves_each_label_in_front_of_its_word(rows):
    rows = [[[4 + id % 4 for id in word] for word in words] for words in rows]  # no punctuation, all of it moves
    tags = [[4 + 7 * number + place for place in range(len(words))] for number, words in enumerate(rows)]
    with TemporaryDirectory() as folder:
        derived = derive(Path(folder), rows, tags, "invert", unit="subword")
    for words, row_tags, found in zip(rows, tags, derived, strict=True):
        assert found == [(tag, tuple(word[::-1])) for word, tag in zip(words[::-1], row_tags[::-1], strict=True)]


def test_entities_of_torn_words_stay_entities(tmp_path):
    """``Jos<unk>aw Now ak`` is one person of two words, ``5 000`` one number with a space in it."""
    rows = [[[4, 3, 7], [6, 7], [5], [4, 5]]]
    derived = derive(tmp_path, rows, [[7, 8, 4, 5]], "invert", labels=LABELS)
    assert derived == [[(5, (4, 5)), (4, (5,)), (7, (6, 7)), (8, (4, 3, 7))]]


def test_words_with_spaces_and_invisible_characters_from_the_treebank_on(tmp_path):
    """The door that users take: a treebank, its binarization, a derivation; the forms come back from the pieces."""
    forms = ["the", "50 000", "ho☃use", "a\u00a0cat", "dog\u200b", "\u200b", "☃"]
    path = tmp_path / "a.conllu"
    path.write_text("\n".join(row(str(i), form, tag) for i, (form, tag) in enumerate(zip(forms, TAGS, strict=True), 1)))
    (tmp_path / "text").write_text("the house a cat dogs 50 000 sleep\n" * 20)
    dictionary = subword.train([tmp_path / "text"], tmp_path / "spm", 20)
    processor = subword.load(tmp_path / "spm" / "spm.model")
    labels = tagging.label_dictionary("pos")
    pairs = tagging.tagged_sentences(path, "pos")
    tagging.binarize(pairs, tmp_path / "pos" / "en" / "test", processor, dictionary, labels)
    vocabulary.save(dictionary, tmp_path / "pos" / "dict.txt")
    vocabulary.save(labels, tmp_path / "pos" / "label" / "dict.txt")
    before = of_folder(tmp_path / "pos" / "en" / "test", dictionary, labels)
    assert [tag for tag, _ in before] == list(TAGS)
    corpus.derive(tmp_path / "pos" / "en", tmp_path / "pos" / "en-x", ["invert"])
    assert of_folder(tmp_path / "pos" / "en-x" / "test", dictionary, labels) == before[::-1]


TAGS = ("DET", "NUM", "NOUN", "PROPN", "VERB", "SYM", "X")


def of_folder(prefix, dictionary, labels):
    tokens, values = binarized.read_labelled(prefix)
    found = labelled_words(tokens.tokens, values.tokens)
    return [(labels[tag], [dictionary[id] for id in word]) for tag, word in found]


def test_a_real_treebank_keeps_every_word(data_dir, tmp_path):
    """Half of the letters have no piece here, so that most words have ``<unk>`` inside."""
    sentences = list(tagging.tagged_sentences(data_dir / "ud" / "ar_padt-udpos-dev.conllu", "pos"))[:300]
    letters = sorted({char for words, _ in sentences for word in words for char in word if char != " "})
    dictionary, labels = make_dictionary(["▁", *letters[::2]]), tagging.label_dictionary("pos")
    rows = [
        [[dictionary.index(piece) for piece in f" {word}".replace(" ", "▁")] for word in words]
        for words, _ in sentences
    ]
    tags = [[labels.index(tag) for tag in upos] for _, upos in sentences]
    derived = derive(tmp_path, rows, tags, "permute", dictionary=dictionary)
    for words, row_tags, found in zip(rows, tags, derived, strict=True):
        assert sorted(found) == sorted((tag, tuple(word)) for word, tag in zip(words, row_tags, strict=True))
