"""Files of word vectors: both forms, and what is refused with its line."""

import gzip

import pytest

from fairseq_align.errors import InputError
from fairseq_align.text import word_vectors


def all_of(path) -> list[tuple[str, list[float]]]:
    return [(word, vector.tolist()) for word, vector in word_vectors.read(path, lambda word: True)]


@pytest.mark.parametrize("header", ["", "3 2\n"], ids=["GloVe's", "word2vec's"])
@pytest.mark.parametrize("end", ["\n", " \n", "\r\n"], ids=["plain", "space", "return"])
def test_files_have_a_first_line_or_none(tmp_path, header, end):
    lines = ["house 0.5 -1e-3", "10 1 2", "New York\u00a0City 3 .25"]  # words may hold spaces, and be numbers
    expected = [("house", [0.5, pytest.approx(-1e-3)]), ("10", [1, 2]), ("New York\u00a0City", [3, 0.25])]
    (tmp_path / "en.vec").write_text(header + "".join(line + end for line in lines), encoding="utf-8", newline="")
    assert all_of(tmp_path / "en.vec") == expected
    (tmp_path / "en.vec.gz").write_bytes(gzip.compress((tmp_path / "en.vec").read_bytes()))
    assert all_of(tmp_path / "en.vec.gz") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "en.vec: found 0 words, expected at least one"),
        ("2 2\n", "en.vec: found 0 words, expected the 2 that its first line names"),
        ("a 1 2\nb 1\n", "en.vec:2: found 'b 1', expected a word and 2 numbers; mend the line"),
        ("1 2\na 1 2\nb 1 2\n", "en.vec: found 2 words, expected the 1 that its first line names"),
        ("a 1 2\nb 1 x\n", "en.vec:2: found could not convert string to float: 'x', expected numbers"),
        ("a 1 2\nb 1 nan\n", "en.vec:2: found a number that is not finite"),
        ("a 1 2\nb 1 1e99\n", "en.vec:2: found a number that is not finite"),
        ("a 1 2\n 1 2\n", "en.vec:2: found ' 1 2', expected a word and 2 numbers"),
        ("a 1 2\n\n", "en.vec:2: found '', expected a word and 2 numbers"),
        ("alone\n", "en.vec:1: found 'alone', expected word vectors"),
        ("5 0\na\n", "en.vec:1: found '5 0', expected word vectors"),
    ],
)
def test_what_is_no_vector_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "en.vec").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        all_of(tmp_path / "en.vec")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_numbers_of_words_that_are_not_wanted_are_not_read(tmp_path):
    (tmp_path / "en.vec").write_text("a 1 2\nb 1 x\n", encoding="utf-8")
    read = list(word_vectors.read(tmp_path / "en.vec", lambda word: word == "a"))
    assert [word for word, _ in read] == ["a", "b"] and read[1][1] is None
