"""Word lists: MUSE, TSV, PanLex."""

import pytest

from fairseq_align.errors import InputError
from fairseq_align.lexicon import wordlist


def test_word_lists_are_muse_or_tsv(tmp_path):
    path = tmp_path / "en-fr.txt"
    path.write_text("house maison\nice cream\tglace\t0.5\n\n")
    assert list(wordlist.read(path)) == [("house", "maison", 1.0), ("ice cream", "glace", 0.5)]
    path.write_text("\ufeffhouse maison\n\ufeffcat\tchat\n", encoding="utf-8")  # two files, joined
    assert list(wordlist.read(path)) == [("house", "maison", 1.0), ("cat", "chat", 1.0)]
    for line, message in [
        ("a b c", ":1: found 'a b c', expected 'source target', 'source<TAB>"),
        ("a\tb\tc", ":1: found weight 'c'"),
        ("alone", ":1: found 'alone'"),
    ]:
        path.write_text(line + "\n")
        with pytest.raises(InputError, match=message):
            list(wordlist.read(path))


def test_a_word_list_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "en-fr.txt"
    pairs = [("#house", "maison", 1.25), ("ice cream", "glace", 1e-7), ("na\u0308he", "\u0930\u093e\u092e", 0.333333)]
    wordlist.write(path, [wordlist.Pair(*pair) for pair in pairs])
    assert list(wordlist.read(path)) == pairs


def test_panlex_columns_name_the_languages(tmp_path):
    path = tmp_path / "panlex.tsv"
    path.write_text("eng-000\thouse\tfra-000\tmaison\t7\nfra-000\tchat\teng-000\tcat\neng-000\tdog\tdeu-000\tHund\n")
    assert list(wordlist.read(path, ("eng", "fra"))) == [
        ("house", "maison", 7.0),
        ("cat", "chat", 1.0),
        ("dog", "", 1.0),
    ]
    with pytest.raises(InputError, match="panlex.tsv:1: found columns of languages, eng-000 and fra-000; name the two"):
        list(wordlist.read(path))


def test_every_real_dictionary_is_read(data_dir):
    """Lines as the table of the data counts them."""
    for path in sorted((data_dir / "dictionaries").glob("*.txt")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(list(wordlist.read(path))) == len([line for line in lines if line.strip()]) > 500
