"""CoNLL-U files: what is read, and what is refused."""

import gzip

import pytest
from conllu import TokenList, parse

from fairseq_align.downstream import conllu
from fairseq_align.errors import InputError
from tests.support.conllu import FRENCH, row, write


def test_sentences_know_their_lines_and_keep_every_kind_of_token(tmp_path):
    first, second = conllu.read(write(tmp_path / "a.conllu", FRENCH))
    assert isinstance(first, TokenList)
    assert first.lines == [2, 3, 4, 5, 6] and second.lines == [12, 13, 14]
    assert [token["id"] for token in first] == [(1, "-", 2), 1, 2, 3, (3, ".", 1)]
    assert first[2]["feats"] == {"Gender": "Masc", "Number": "Sing"} and first[2]["head"] == 3
    assert first.metadata == {"sent_id": "1"} and second.metadata == {"sent_id": "2"}


def test_syntactic_words_are_the_tokens(tmp_path):
    first, second = conllu.read(write(tmp_path / "a.conllu", FRENCH))
    assert conllu.words_and_tags(first) == (["de", "le", "thé"], ["ADP", "DET", "NOUN"])
    assert conllu.words_and_tags(second) == (["50 000", "\u200b", "."], ["NUM", "X", "PUNCT"])


def test_two_spaces_in_a_word_do_not_end_a_column(tmp_path):
    (sentence,) = conllu.read(write(tmp_path / "a.conllu", [row("1", "a  b\u00a0c", "X")]))
    assert conllu.words_and_tags(sentence) == (["a b c"], ["X"])


def test_reader_agrees_with_conllu_and_reads_gzip_and_carriage_returns(tmp_path):
    text = "\r\n".join(FRENCH)
    (tmp_path / "a.conllu.gz").write_bytes(gzip.compress(text.encode()))
    expected = [sentence for sentence in parse(text.replace("\r", "")) if sentence]
    assert [list(sentence) for sentence in conllu.read(tmp_path / "a.conllu.gz")] == [list(s) for s in expected]


BROKEN = [
    (["1\tle\tle\tDET"], "found 4 columns, expected 10 separated by tabs"),
    (["1 le _ DET _ _ _ _ _ _"], "found 1 columns"),
    ([row("1", "", "X")], "found an empty FORM"),
    ([row("one", "a", "X")], "found id 'one', expected a number"),
    ([row("2", "a", "X")], "found id 2, expected 1; number words from 1, an empty line ends a sentence"),
    ([row("1-1", "a", "_")], "found range 1-1"),
    ([row("1.1", "a", "_")], r"found empty node 1.1, expected 0.1"),
    ([row("1", "a", "X", "_", "_", "head")], "found a column that does not parse .*'head'.*; mend it"),
]


@pytest.mark.parametrize(("lines", "message"), BROKEN, ids=[message[6:20] for _, message in BROKEN])
def test_a_broken_line_is_named(tmp_path, lines, message):
    path = write(tmp_path / "bad.conllu", [*FRENCH, "", "# a comment", *lines])
    with pytest.raises(InputError, match=rf"bad.conllu:17: {message}"):
        list(conllu.read(path))


def test_a_forgotten_empty_line_is_named(tmp_path):
    path = write(tmp_path / "bad.conllu", [row("1", "a", "X"), row("1", "b", "X")])
    with pytest.raises(InputError, match="bad.conllu:2: found id 1, expected 2"):
        list(conllu.read(path))


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "bad.conllu").write_bytes(f"{row('1', 'a', 'X')}\n{row('2', 'é', 'X')}\n".encode("latin-1"))
    with pytest.raises(InputError, match="bad.conllu:2: found byte 0xe9, expected UTF-8"):
        list(conllu.read(tmp_path / "bad.conllu"))


@pytest.mark.parametrize("tag", ["_", "Noun", "N"])
def test_an_unknown_tag_is_named_with_its_word(tmp_path, tag):
    (sentence,) = conllu.read(write(tmp_path / "bad.conllu", ["# comment", row("1", "a", "X"), row("2", "b", tag)]))
    with pytest.raises(InputError, match=r"bad.conllu:3: found UPOS .* of 'b', expected one of ADJ .* X;"):
        conllu.words_and_tags(sentence)


@pytest.mark.parametrize(
    "lines",
    [
        [row("1", "_", "PRON"), row("2", "_", "VERB"), row("3", "_", "PUNCT")],
        [row("1", "_", "NOUN")],
        [row("1", "____", "NOUN"), row("2", ".", "PUNCT")],
        [row("1-2", "_", "_"), row("1", "_", "ADP"), row("2", "_", "DET")],
    ],
    ids=["all", "one word", "a letter each", "a multiword token"],
)
def test_a_treebank_without_its_text_is_refused(tmp_path, lines):
    path = write(tmp_path / "bad.conllu", [*FRENCH, "", "# a comment", *lines])
    *_, last = conllu.read(path)
    with pytest.raises(InputError, match="bad.conllu:17: found a sentence whose words are all _, expected text"):
        conllu.words_and_tags(last)


def test_an_underscore_among_words_or_signs_is_a_word(tmp_path):
    lines = [row("1", "_", "PUNCT"), row("2", "_", "SYM"), "", row("1", "fill", "VERB"), row("2", "___", "NOUN")]
    first, second = conllu.read(write(tmp_path / "a.conllu", lines))
    assert conllu.words_and_tags(first)[0] == ["_", "_"] and conllu.words_and_tags(second)[0] == ["fill", "___"]
