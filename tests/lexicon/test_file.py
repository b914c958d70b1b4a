"""The bilingual dictionary: its file, its making from derivations and word lists, and what is refused."""

import re

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.errors import InputError
from fairseq_align.lexicon import file as lexicon
from fairseq_align.lexicon import wordlist
from fairseq_align.lexicon.file import Entry
from fairseq_align.text import vocabulary
from tests.derivation.test_derivation import PIECES, make_dictionary

PIECE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=4).filter(
    lambda piece: piece.split() == [piece]
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
    lexicon.write(path, entries, dictionary, ["drawn\tat random"])
    assert lexicon.read(path) == (entries, vocabulary.checksum(dictionary))


def test_a_line_that_starts_with_a_hash_and_holds_a_tab_is_a_pair(tmp_path):
    path = tmp_path / "lexicon.tsv"
    path.write_text("# a comment\n#\t#~\n\n▁cat s\t▁the\t0.5\n")
    assert lexicon.read(path) == ([Entry(("#",), ("#~",)), Entry(("▁cat", "s"), ("▁the",), 0.5)], None)


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
        lexicon.load(path, make_dictionary())
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


def test_a_missing_lexicon_and_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere.tsv: found no such file"):
        lexicon.read(tmp_path / "nowhere.tsv")
    (tmp_path / "binary.tsv").write_bytes(b"\xff\xfe\t\x00\n")
    with pytest.raises(InputError, match="binary.tsv: .*expected a lexicon in UTF-8"):
        lexicon.read(tmp_path / "binary.tsv")


def test_pairs_out_of_vocabulary_are_left_out_and_counted(tmp_path, caplog):
    path = tmp_path / "lexicon.tsv"
    path.write_text("▁the\t▁cat\n▁the\t▁dog\n▁cat s\t▁small\n")
    with caplog.at_level("INFO"):
        found = lexicon.load(path, make_dictionary())
    assert len(found) == 2 and found.source.ids.tolist() == [4, 6, 7]
    assert "kept 2 of 3 pairs; 0 source and 1 target words out of vocabulary" in caplog.text


@given(st.floats(0.01, 1), st.integers(0, 9))
def test_lexicon_of_a_derivation_splits_the_vocabulary(rate, seed):
    dictionary = vocabulary.double(make_dictionary())
    train, heldout = lexicon.of_derivation(dictionary, rate, seed)
    assert len(train) == round(rate * len(PIECES)) and len(train) + len(heldout) == len(PIECES)
    assert {entry.source for entry in train + heldout} == {(piece,) for piece in PIECES}
    assert all(entry.target[0] == entry.source[0] + "~~" for entry in train + heldout)


def test_derived_lexicon_needs_a_doubled_dictionary_and_a_rate():
    with pytest.raises(InputError, match="run preprocess/derive.py"):
        lexicon.of_derivation(make_dictionary(), 0.5, 1)
    with pytest.raises(InputError, match="found rate 0, expected a fraction"):
        lexicon.of_derivation(vocabulary.double(make_dictionary()), 0, 1)


links = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=40, unique=True)


@given(links, st.floats(0, 0.9), st.integers(0, 9))
def test_held_out_pairs_share_no_word_with_training(links, rate, seed):
    entries = [Entry((f"s{source}",), (f"t{target}",)) for source, target in links]
    train, heldout = wordlist.split(entries, rate, seed)
    assert sorted(train + heldout) == sorted(entries) and len(heldout) <= round(rate * len(entries))
    for side in ("source", "target"):
        assert not {getattr(e, side) for e in train} & {getattr(e, side) for e in heldout}


def test_word_lists_are_muse_or_tsv(tmp_path):
    path = tmp_path / "en-fr.txt"
    path.write_text("house maison\nice cream\tglace\t0.5\n\n")
    assert list(wordlist.read(path)) == [("house", "maison", 1.0), ("ice cream", "glace", 0.5)]
    for line, message in [
        ("a b c", ":1: found 'a b c', expected 'source target', 'source<TAB>"),
        ("a\tb\tc", ":1: found weight 'c'"),
        ("alone", ":1: found 'alone'"),
    ]:
        path.write_text(line + "\n")
        with pytest.raises(InputError, match=message):
            list(wordlist.read(path))


@pytest.fixture(scope="module")
def subwords(tmp_path_factory):
    """A SentencePiece model and dict.txt of a few words."""
    folder = tmp_path_factory.mktemp("subwords")
    (folder / "text").write_text("house houses maison maisons cat chat the la\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"),
        model_prefix=str(folder / "spm"),
        vocab_size=100,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    pieces = [processor.id_to_piece(index) for index in range(3, len(processor))]
    vocabulary.save(make_dictionary(pieces), folder / "dict.txt")
    return folder


def test_lexicon_from_word_lists_counts_every_line(run, subwords, tmp_path):
    (tmp_path / "train.txt").write_text("house maison\nhouse maison\ncat cat\ncat chat\nthe ж\nhouses maisons\n")
    (tmp_path / "test.txt").write_text("cat chat\n")
    done = run(
        ["python", "preprocess/lexicon.py", "words", tmp_path / "train.txt", "--model", subwords / "spm.model"]
        + ["--dict", subwords / "dict.txt", "--out", tmp_path / "lexicon.tsv", "--heldout", tmp_path / "heldout.tsv"]
        + ["--heldout-input", tmp_path / "test.txt"]
    )
    assert "6 read, 3 kept, 0 no translation, 0 several words, 1 out of vocabulary, 1 identical" in done.stdout
    assert "1 pairs left out of training" in done.stdout
    train, made_for = lexicon.read(tmp_path / "lexicon.tsv")
    assert ["".join(entry.source) for entry in train] == ["▁house", "▁houses"]
    assert made_for == vocabulary.checksum(vocabulary.load(subwords / "dict.txt"))
    heldout, _ = lexicon.read(tmp_path / "heldout.tsv")
    assert ["".join(entry.target) for entry in heldout] == ["▁chat"]


def test_derived_lexicon_front_door_is_seeded_and_drops_a_stale_held_out_file(run, tmp_path):
    vocabulary.save(vocabulary.double(make_dictionary()), tmp_path / "dict.txt")

    def make(name, *flags):
        command = ["python", "preprocess/lexicon.py", "derived", "--dict", tmp_path / "dict.txt"]
        run([*command, "--out", tmp_path / name, "--heldout", tmp_path / "heldout.tsv", *flags])
        return lexicon.read(tmp_path / name)[0]

    assert make("a.tsv", "--seed", "3") == make("b.tsv", "--seed", "3") != make("c.tsv", "--seed", "4")
    assert (tmp_path / "heldout.tsv").exists()
    assert len(make("all.tsv", "--rate", "1")) == len(PIECES)
    assert not (tmp_path / "heldout.tsv").exists()


def test_lexicon_script_says_what_is_missing(run, tmp_path):
    command = [
        "python",
        "preprocess/lexicon.py",
        "derived",
        "--dict",
        tmp_path / "dict.txt",
        "--out",
        tmp_path / "x",
    ]
    done = run(command, check=False)
    assert done.returncode == 1 and re.fullmatch(
        r"error: .*dict.txt: found no dictionary.*", done.stderr.strip().splitlines()[-1]
    )


def pieces(*rows: str) -> list[Entry]:
    """Entries of ``source target [weight]``."""
    return [Entry((source,), (target,), *map(float, weight)) for source, target, *weight in map(str.split, rows)]


def test_a_pivot_joins_the_translations_of_a_word_by_hand(run, tmp_path):
    first, second = pieces("a x", "a y 2", "b x 0.5", "c x"), pieces("a u 3", "b u 4", "b x", "d v")
    assert lexicon.pivot(first, second) == pieces(f"x u {1 * 3 + 0.5 * 4}", f"y u {2 * 3}")

    dictionary = make_dictionary([*"abcduvxy"])
    vocabulary.save(dictionary, tmp_path / "dict.txt")
    heldout = pieces("d y"), pieces("d w", "d v")
    for name, entries in zip(
        ("1.tsv", "2.tsv", "1.heldout.tsv", "2.heldout.tsv"), (first, second, *heldout), strict=True
    ):
        lexicon.write(tmp_path / name, entries, dictionary)
    command = ["python", "preprocess/lexicon.py", "pivot", tmp_path / "1.tsv", tmp_path / "2.tsv"]
    command += ["--heldout-lexicon", tmp_path / "1.heldout.tsv", tmp_path / "2.heldout.tsv"]
    command += ["--dict", tmp_path / "dict.txt", "--out", tmp_path / "out.tsv", "--heldout", tmp_path / "held.tsv"]
    assert "1 pairs left out of training: one of their words is held out" in run(command).stdout
    assert lexicon.read(tmp_path / "out.tsv") == (pieces("x u 5"), vocabulary.checksum(dictionary))
    assert lexicon.read(tmp_path / "held.tsv")[0] == pieces("y w", "y v")
