"""Words and pairs as token ids; what the vocabulary of the data does not hold."""

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import words
from tests.support.toy_pieces import make_dictionary


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found no translation pair"),
        ("# only a comment\n", "found no translation pair"),
        ("▁the\t▁cat\tthree columns of text\n", ":1: found weight 'three columns of text', expected a positive number"),
        ("▁the\t▁cat\t-1\n", ":1: found weight '-1'"),
        ("▁the\t▁cat\tnan\n", ":1: found weight 'nan'"),
        ("▁the\t▁cat\n▁the ▁cat\n", ":2: found '▁the ▁cat', expected 'source<TAB>target"),
        ("▁the\t\n", ":1: found .* separate the two words by one tab"),
        ("▁the  ▁cat\ts\n", ":1: found .* the pieces of a word by one space"),
        ("▁the\t▁cat\t1\t1\n", ":1: found"),
        ("▁dog\t▁cat\n▁cat\t▁dog\n", "kept 0 of 2 pairs; 1 source and 1 target words out of vocabulary"),
        ("# dictionary: 0123456789ab\n▁the\t▁cat\n", "made for dictionary 0123456789ab, found .* with the data"),
    ],
)
def test_a_bad_lexicon_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "lexicon.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as refused:
        words.load(path, make_dictionary())
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_pairs_out_of_vocabulary_are_left_out_and_counted(tmp_path, caplog):
    path = tmp_path / "lexicon.tsv"
    path.write_text("▁the\t▁cat\n▁the\t▁dog\n▁cat s\t▁small\n")
    with caplog.at_level("INFO"):
        found = words.load(path, make_dictionary())
    assert len(found) == 2 and found.source.ids.tolist() == [4, 6, 7]
    assert "kept 2 of 3 pairs; 0 source and 1 target words out of vocabulary" in caplog.text
