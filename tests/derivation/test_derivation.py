"""Derived languages: transforms on hand-written sentences, their properties, and the front door derive.py."""

import json
import re

import numpy as np
import pytest
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data import binarized
from fairseq_align.derivation.transforms import (
    Chunk,
    Derivation,
    Deriver,
    chunks,
    invert,
    permute,
    place,
    shared_pieces,
    transliteration,
    words,
)
from fairseq_align.errors import InputError
from fairseq_align.lexicon import build
from fairseq_align.text import vocabulary

PIECES = ["▁the", "▁small", "▁cat", "s", "▁sleep", "▁.", "▁?", "!", "▁", "~"]
EOS, UNK = 2, 3


def make_dictionary(pieces=PIECES) -> Dictionary:
    dictionary = Dictionary()
    for number, piece in enumerate(pieces):
        dictionary.add_symbol(piece, n=100 - number)
    return dictionary


def chunk(dictionary: Dictionary, *sentences: str) -> Chunk:
    rows = [[dictionary.index(piece) for piece in sentence.split()] + [EOS] for sentence in sentences]
    return Chunk(
        np.array([index for row in rows for index in row], dtype=np.int64), np.array([len(row) for row in rows])
    )


def text(dictionary: Dictionary, tokens: np.ndarray) -> str:
    return " ".join(dictionary[index] for index in tokens)


def inverted(dictionary: Dictionary, some: Chunk) -> np.ndarray:
    return place(some.tokens, invert(words_of(dictionary, some)))


def words_of(dictionary: Dictionary, some: Chunk):
    derive = Deriver(plan("invert"), dictionary)
    return words(some, derive.starts, derive.edge)


def plan(*transforms, **fields) -> Derivation:
    fields = {"unit": "word", "seed": 1, "pieces": 2 * len(PIECES), **fields}
    return Derivation("en", transforms, source_pieces=len(PIECES), dictionary="", **fields)


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
    assert text(dictionary, place(some.tokens, permute(words_of(dictionary, some), keys))) == (
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
    assert (place(labels, positions) == source_of * 10).all()
    assert sorted(positions.tolist()) == list(range(len(some.tokens)))


def test_inversion_by_subword_reverses_pieces():
    dictionary = vocabulary.double(make_dictionary())
    some = chunk(dictionary, "▁the ▁cat s ▁.")
    assert text(dictionary, Deriver(plan("invert", unit="subword"), dictionary)(some)[0]) == "s ▁cat ▁the ▁. </s>"


def test_chunks_hold_whole_sentences():
    corpus = binarized.Corpus(np.arange(10), np.array([3, 0, 4, 1, 2]))
    assert [(span.start, span.stop, items.start, items.stop) for span, items in chunks(corpus, 5)] == [
        (0, 3, 0, 2), (3, 8, 2, 4), (8, 10, 4, 5),
    ]  # fmt: skip
    assert [items.stop for _, items in chunks(corpus, 1)] == [1, 2, 3, 4, 5]  # one that is longer comes alone


def test_unknown_transforms_are_named():
    with pytest.raises(InputError, match="mirror.*expected transforms out of transliterate"):
        Derivation("en", ("mirror",), "word", 1, 1, 1, "")


@pytest.fixture
def data(tmp_path):
    """data-bin of one language with labels: two sentences of PIECES."""
    dictionary = make_dictionary()
    some = chunk(dictionary, "▁the ▁small ▁cat s ▁sleep ▁.", "▁the ▁cat")
    folder = tmp_path / "data-bin"
    with binarized.writer(folder / "en" / "train", len(dictionary)) as out:
        out.add(some.tokens, some.sizes)
    with binarized.writer(folder / "en" / "train.label", 8) as out:
        out.add(np.array([4, 5, 6, 1, 7, 4, 1, 4, 6, 1]), some.sizes)
    vocabulary.save(dictionary, folder / "dict.txt")
    return folder


def derive(run, data, *flags, check=True):
    return run(["python", "preprocess/derive.py", data / "en", data / "en-x", *flags], check=check)


def test_derive_writes_data_labels_dictionary_and_record(run, data):
    derive(run, data, "--transforms", "transliterate,invert")
    dictionary = vocabulary.load(data / "dict.txt")
    derived, labels = binarized.read(data / "en-x" / "train"), binarized.read(data / "en-x" / "train.label")
    assert text(dictionary, derived.tokens) == ("▁sleep~~ ▁cat~~ s~~ ▁small~~ ▁the~~ ▁.~~ </s> ▁cat~~ ▁the~~ </s>")
    assert labels.tokens.tolist() == [7, 6, 1, 5, 4, 4, 1, 6, 4, 1]
    assert derived.sizes.tolist() == labels.sizes.tolist() == [7, 3]
    record = json.loads((data / "en-x" / "derivation.json").read_text())
    assert record["transforms"] == ["transliterate", "invert"] and record["source_pieces"] == len(PIECES)
    assert not list(data.glob("*.part"))
    # the same again from the record, and the dictionary is doubled only once
    derive(run, data, "--like", data / "en-x" / "derivation.json")
    assert binarized.read(data / "en-x" / "train").tokens.tolist() == derived.tokens.tolist()
    assert vocabulary.load(data / "dict.txt").symbols == dictionary.symbols


def break_dictionary(data):
    dictionary = make_dictionary(["▁other", *PIECES[1:]])
    vocabulary.save(dictionary, data / "en" / "dict.txt")


def shorten_dictionary(data):
    vocabulary.save(make_dictionary(PIECES[:3]), data / "dict.txt")


def forget_labels(data):
    with binarized.writer(data / "en" / "train.label", 8) as out:
        out.add(np.array([4, 5]), np.array([1, 1]))


def truncate(data):
    path = data / "en" / "train.bin"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "flags", "message"),
    [
        (break_dictionary, ["--transforms", "invert"], "another dictionary than .*dict.txt.*binarize"),
        (shorten_dictionary, ["--transforms", "invert"], r"found token id \d+, expected ids below 7.*binarize it"),
        (lambda data: (data / "dict.txt").unlink(), ["--transforms", "invert"], "dict.txt: found no dictionary"),
        (forget_labels, ["--transforms", "invert"], "one label a token; run preprocess/tagging.py again"),
        (truncate, ["--transforms", "invert"], r"found 19 bytes, expected 20"),
        (lambda data: None, ["--transforms", "mirror"], "mirror.*expected transforms out of"),
        (lambda data: None, [], "expected one of them"),
        (lambda data: None, ["--like", "nowhere.json"], "nowhere.json: found no file"),
        (lambda data: (data / "en-x").mkdir(), ["--transforms", "invert"], "folder without derivation.json"),
    ],
)
def test_derive_refuses_what_does_not_fit_in_one_line_and_writes_nothing(run, data, damage, flags, message):
    damage(data)
    before = sorted(data.rglob("*"))
    done = derive(run, data, *flags, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and len(errors) == 1 and "Traceback" not in done.stderr
    assert re.search(message, errors[0])
    assert sorted(data.rglob("*")) == before
