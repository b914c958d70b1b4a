"""Tables of every reader: a row with another number of columns is refused in one line, or read rightly."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.downstream import conllu, iob2, nli
from fairseq_align.errors import InputError
from fairseq_align.lexicon import file, wordlist
from fairseq_align.text import bitext
from tests.support.conllu import row

GOOD = ["It", "moves", "neutral"]
READERS = {  # rows of a whole file, and its reader; the row at place 1 is given another number of columns
    "conllu": (
        [row("1", "a", "X").split("\t"), row("2", "b", "X").split("\t")],
        lambda path: [conllu.words_and_tags(sentence) for sentence in conllu.read(path)],
    ),
    "iob2": ([["a", "x", "O"], ["b", "x", "B-LOC"], ["c", "x", "O"]], lambda path: list(iob2.read(path, ["LOC"]))),
    "iob2 numbered": (
        [["1", "a", "O", "-"], ["2", "b", "B-LOC", "O"], ["3", "c", "O", "O"]],
        lambda path: list(iob2.read(path, ["LOC"])),
    ),
    "nli": (
        [["premise", "hypothesis", "label"], GOOD, GOOD],
        lambda path: list(nli.read(path, "en", Counter())),
    ),
    "nli with annotators": (
        [["genre", "sentence1", "sentence2", "gold_label", "pairID"], ["x", *GOOD, "7"], ["x", *GOOD, "8"]],
        lambda path: list(nli.read(path, "en", Counter())),
    ),
    "bitext": ([["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]], lambda path: list(bitext.read(path, (1, 3)))),
    "lexicon": ([["▁a", "▁b", "1"], ["▁c", "▁d", "1"]], lambda path: file.read(path)[0]),
    "word list": ([["a", "b", "1"], ["c", "d", "1"]], lambda path: list(wordlist.read(path))),
}


def write(folder, rows):
    path = Path(folder) / "a.tsv"
    path.write_text("".join("\t".join(fields) + "\n" for fields in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", READERS)
@given(place=st.integers(0, 12), cells=st.lists(st.sampled_from(["a b", "O", "B-LOC", "neutral", "7", ""]), max_size=6))
def test_a_row_with_more_columns_than_the_rest_is_refused(name, place, cells):
    rows, read = READERS[name]
    with TemporaryDirectory() as folder:
        whole = read(write(folder, rows))
        assert len(whole) >= 1
        longer = [*rows[1][:place], *(cells or ["x"]), *rows[1][place:]]
        try:
            read(write(folder, [rows[0], longer, *rows[2:]]))
        except InputError as error:
            assert "\n" not in str(error) and f"{folder}/a.tsv:" in str(error)
        else:  # the forms of word lists are told apart line by line: here that with the names of the languages
            pytest.fail(f"{longer} was read")


@pytest.mark.parametrize("name", READERS)
@given(st.data())
def test_a_row_with_fewer_columns_than_the_rest_is_refused_or_has_no_weight(name, data):
    rows, read = READERS[name]
    lost = data.draw(st.integers(0, len(rows[1]) - 1))
    shorter = [*rows[1][:lost], *rows[1][lost + 1 :]]
    with TemporaryDirectory() as folder:
        whole = read(write(folder, rows))
        try:
            found = read(write(folder, [rows[0], shorter, *rows[2:]]))
        except InputError as error:
            assert "\n" not in str(error) and f"{folder}/a.tsv:" in str(error)
        else:  # two columns are a pair without a weight, whichever they are
            assert name in ("lexicon", "word list") and len(found) == len(whole)
            assert tuple(found[1])[2] == 1 and "".join("".join(side) for side in found[1][:2]) == "".join(shorter)
