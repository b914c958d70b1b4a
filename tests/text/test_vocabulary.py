"""dict.txt: what is written is what fairseq reads."""

import pytest
from fairseq.data import Dictionary

from fairseq_align.errors import InputError
from fairseq_align.text import vocabulary

OVERWRITTEN = "<unk> 9 #fairseq:overwrite\n<s> 9 #fairseq:overwrite\n▁a 3\nb 1\n▁a 2 #fairseq:overwrite\n"


def test_the_overwrite_flag_of_fairseq_is_kept(tmp_path):
    """CamemBERT's dict.txt names fairseq's specials again; the copies of it have to be read, too."""
    (tmp_path / "dict.txt").write_text(OVERWRITTEN, encoding="utf-8")
    ours, theirs = vocabulary.load(tmp_path / "dict.txt"), Dictionary.load(str(tmp_path / "dict.txt"))
    assert ours == theirs and ours.symbols == theirs.symbols and ours.count == theirs.count
    assert [ours.index(symbol) for symbol in ("<unk>", "<s>", "▁a", "b")] == [4, 5, 8, 7]
    vocabulary.save(ours, tmp_path / "copy.txt")
    assert (tmp_path / "copy.txt").read_text(encoding="utf-8") == OVERWRITTEN
    assert Dictionary.load(str(tmp_path / "copy.txt")).symbols == theirs.symbols


def test_a_vocabulary_with_a_symbol_twice_keeps_its_ids_when_it_is_doubled(tmp_path):
    (tmp_path / "dict.txt").write_text(OVERWRITTEN, encoding="utf-8")
    doubled = vocabulary.double(vocabulary.load(tmp_path / "dict.txt"))
    assert doubled.symbols[4:] == ["<unk>", "<s>", "▁a", "b", "▁a", "<unk>~", "<s>~", "▁a~", "b~", "▁a~"]
    assert vocabulary.derived_size(doubled) == 5
    vocabulary.save(doubled, tmp_path / "dict.txt")
    assert Dictionary.load(str(tmp_path / "dict.txt")).symbols == doubled.symbols


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_ends_of_lines_are_in_no_symbol(tmp_path, end):
    (tmp_path / "dict.txt").write_bytes(f"\ufeff▁a 3{end}b 1{end}".encode())
    assert vocabulary.pieces(vocabulary.load(tmp_path / "dict.txt")) == ["▁a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("▁a 3\n\nb 1\n", "dict.txt:2: found '', expected '<symbol> <count>'"),
        ("▁a 3\nb\n", "dict.txt:2: found 'b', expected '<symbol> <count>'"),
        ("▁a 3\nb c 1\n", "dict.txt:2: found 'b c 1', expected '<symbol> <count>'"),
        ("▁a 3\nb one\n", "dict.txt:2: found 'b one', expected"),
        ("▁a 3 #fairseq:other\n", "dict.txt:1: found '▁a 3 #fairseq:other', expected"),
        ("▁a 3\nb 1\n▁a 2\n", "dict.txt:3: found '▁a' again, expected each symbol once; write #fairseq:overwrite"),
        ("</s> 3\n", "dict.txt:1: found '</s>' again"),
    ],
)
def test_a_line_of_another_form_is_named_with_its_number(tmp_path, text, message):
    (tmp_path / "dict.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        vocabulary.load(tmp_path / "dict.txt")
