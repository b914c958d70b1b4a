"""Lexicon files: what is written is read again, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.lexicon import file
from fairseq_align.lexicon.file import Entry
from fairseq_align.text import vocabulary
from tests.support.toy_pieces import make_dictionary

PIECE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=4).filter(
    lambda piece: piece.split() == [piece] and (piece == "\ufeff" or not piece.startswith("\ufeff"))
)


@given(entries=st.lists(st.builds(
    Entry,
    st.lists(PIECE, min_size=1, max_size=3).map(tuple),
    st.lists(PIECE, min_size=1, max_size=3).map(tuple),
    st.sampled_from([1.0, 0.5, 2.0, 1e-06]),
), min_size=1, max_size=9))  # fmt: skip
def test_what_is_written_is_read_again(entries, tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.tsv"
    dictionary = make_dictionary()
    file.write(path, entries, dictionary, ["drawn\tat random"])
    assert file.read(path) == (entries, vocabulary.checksum(dictionary))


def test_a_line_that_starts_with_a_hash_and_holds_a_tab_is_a_pair(tmp_path):
    path = tmp_path / "lexicon.tsv"
    path.write_text("# a comment\n#\t#~\n\n▁cat s\t▁the\t0.5\n")
    assert file.read(path) == ([Entry(("#",), ("#~",)), Entry(("▁cat", "s"), ("▁the",), 0.5)], None)


def test_a_missing_lexicon_and_bytes_that_are_no_text_are_refused(tmp_path):
    advice = "expected a lexicon; make it with fairseq-align lexicon"
    with pytest.raises(InputError, match=f"nowhere.tsv: found .*No such file.*, {advice}"):
        file.read(tmp_path / "nowhere.tsv")
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\t\x00\n")
    with pytest.raises(InputError, match="binary.tsv:1: found byte 0xff, expected UTF-8"):
        file.read(tmp_path / "binary.tsv")


def test_a_byte_order_mark_is_in_no_piece(tmp_path):
    (tmp_path / "lexicon.tsv").write_text("\ufeff▁cat\t▁chat\r\n", encoding="utf-8", newline="")
    assert file.read(tmp_path / "lexicon.tsv")[0] == [Entry(("▁cat",), ("▁chat",))]


@pytest.mark.parametrize("source", [("\ufeff",), ("\ufeff", "a"), ("a", "\ufeff")])
def test_a_byte_order_mark_can_be_a_piece(source, tmp_path):
    """Some vocabularies of other tools have it."""
    file.write(tmp_path / "lexicon.tsv", [Entry(source, ("\ufeffb",))], make_dictionary())
    assert file.read(tmp_path / "lexicon.tsv")[0] == [Entry(source, ("\ufeffb",))]


@pytest.mark.parametrize("piece", ["\ufeffa", "\ufeff\ufeff"])
def test_a_byte_order_mark_that_would_be_lost_is_refused(piece, tmp_path):
    with pytest.raises(InputError, match="lexicon.tsv: found source pieces .*, expected none with a byte order mark"):
        file.write(tmp_path / "lexicon.tsv", [Entry((piece,), ("b",))], make_dictionary())
    assert not (tmp_path / "lexicon.tsv").exists()


def test_files_that_were_joined_keep_all_their_pairs(tmp_path):
    """Each of them may begin with a byte order mark, before a pair or before a comment."""
    text = "\ufeff▁cat\t▁chat\n\ufeff▁dog\t▁chien\n\ufeff# dictionary: 52f1c0a8d3e7\n\ufeff\ufeff▁ox\t▁bœuf\n"
    (tmp_path / "lexicon.tsv").write_text(text, encoding="utf-8")
    entries = [(("▁cat",), ("▁chat",), 1.0), (("▁dog",), ("▁chien",), 1.0), (("▁ox",), ("▁bœuf",), 1.0)]
    assert file.read(tmp_path / "lexicon.tsv") == (entries, "52f1c0a8d3e7")
