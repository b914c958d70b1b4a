"""Lexicons made of derivations, word lists and other lexicons; the script of the same name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align import cli
from fairseq_align.errors import InputError
from fairseq_align.lexicon import build, file
from fairseq_align.lexicon.file import Entry
from fairseq_align.lexicon.wordlist import Pair
from fairseq_align.text import subword, vocabulary
from tests.lexicon.test_dictd import write_dictd
from tests.lexicon.test_tei import TEI
from tests.support.toy_pieces import PIECES, make_dictionary


@given(st.floats(0.01, 1), st.integers(0, 9))
def test_lexicon_of_a_derivation_splits_the_vocabulary(rate, seed):
    dictionary = vocabulary.double(make_dictionary())
    train, heldout, *_ = build.of_derivation(dictionary, rate, seed)
    assert len(train) == round(rate * len(PIECES)) and len(train) + len(heldout) == len(PIECES)
    assert {entry.source for entry in train + heldout} == {(piece,) for piece in PIECES}
    assert all(entry.target[0] == entry.source[0] + "~~" for entry in train + heldout)


def test_derived_lexicon_needs_a_doubled_dictionary_and_a_rate():
    with pytest.raises(InputError, match="run fairseq-align derive"):
        build.of_derivation(make_dictionary(), 0.5, 1)
    with pytest.raises(InputError, match="found rate 0, expected a fraction"):
        build.of_derivation(vocabulary.double(make_dictionary()), 0, 1)


links = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=40, unique=True)


@given(links, st.floats(0, 0.9), st.integers(0, 9))
def test_held_out_pairs_share_no_word_with_training(links, rate, seed):
    entries = [Entry((f"s{source}",), (f"t{target}",)) for source, target in links]
    train, heldout = build.split(entries, rate, seed)
    assert sorted(train + heldout) == sorted(entries) and len(heldout) <= round(rate * len(entries))
    for side in ("source", "target"):
        assert not {getattr(e, side) for e in train} & {getattr(e, side) for e in heldout}


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
    train, made_for = file.read(tmp_path / "lexicon.tsv")
    assert ["".join(entry.source) for entry in train] == ["▁house", "▁houses"]
    assert made_for == vocabulary.checksum(vocabulary.load(subwords / "dict.txt"))
    heldout, _ = file.read(tmp_path / "heldout.tsv")
    assert ["".join(entry.target) for entry in heldout] == ["▁chat"]


def test_several_words_are_parted_by_any_white_space(subwords):
    """A no-break space and an ideographic one part words, a zero-width non-joiner (Persian) does not."""
    processor, dictionary = subword.load(subwords / "spm.model"), vocabulary.load(subwords / "dict.txt")
    sources = ["the house", "the\u00a0house", "the\u3000house", "the\u2003house", "the\thouse", "the\u200chouse"]
    pairs = [Pair(source, "maison") for source in sources]
    entries, counts = build.encode(pairs, processor, dictionary, several_words=False)
    assert counts["several words"] == 5 and counts["kept"] == 1 and counts["read"] == 6
    entries, counts = build.encode(pairs, processor, dictionary)
    assert counts["kept"] == 1 and counts["duplicate"] == 5  # all of them are the same pieces
    assert entries == [Entry(("▁", *"the", "▁house"), ("▁maison",))]


def test_every_reason_for_leaving_a_pair_out_is_counted(run, toy, tmp_path):
    """The script, on dictionaries of every form together; the vocabulary has all letters of the toy language."""
    word, other = (toy / "corpus" / "train.txt").read_text(encoding="utf-8").split()[:2]
    lines = [f"{word}\t{other}", f"{word.upper()}\t{other}", f"{word}\t{word}", f"{word} {word}\t{other}", f"{word}\tЖ"]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "b.tei").write_text(TEI.replace("lone", word), encoding="utf-8")
    script = ["python", "preprocess/lexicon.py", "words", tmp_path / "a.tsv", tmp_path / "b.tei"]
    script += [write_dictd(tmp_path), "--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt"]
    text = toy / "corpus" / "train.txt"
    script += ["--frequency", text, text]
    done = run([*script, "--lower", "--several-words", "skip", "--out", tmp_path / "lexicon.tsv"])
    counts = {name: int(count) for count, name in re.findall(r"(\d+) ([a-z ]+)", done.stdout.splitlines()[0])}
    # a.tsv: 1 kept, 1 duplicate, 1 identical, 1 of several words, Ж; b.tei: 4 kept, grand logis, no translation;
    # eng-fra: abandonner and logis kept, maison and chambre again, délaisser, ice cream, no translation
    assert counts == {
        "read": 18, "kept": 7, "no translation": 2, "several words": 3,
        "out of vocabulary": 2, "identical": 1, "duplicate": 3,
    }  # fmt: skip
    entries, _ = file.read(tmp_path / "lexicon.tsv")
    words = text.read_text(encoding="utf-8").split()
    assert len(entries) == 7
    assert entries[0].weight == pytest.approx(((1 + words.count(word)) * (1 + words.count(other))) ** 0.25, rel=1e-4)


def test_derived_lexicon_front_door_is_seeded_and_drops_a_stale_held_out_file(run, tmp_path):
    vocabulary.save(vocabulary.double(make_dictionary()), tmp_path / "dict.txt")

    def make(name, *flags):
        command = ["python", "preprocess/lexicon.py", "derived", "--dict", tmp_path / "dict.txt"]
        run([*command, "--out", tmp_path / name, "--heldout", tmp_path / "heldout.tsv", *flags])
        return file.read(tmp_path / name)[0]

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
    assert build.pivot(first, second) == pieces(f"x u {1 * 3 + 0.5 * 4}", f"y u {2 * 3}")

    dictionary = make_dictionary([*"abcduvxy"])
    vocabulary.save(dictionary, tmp_path / "dict.txt")
    heldout = pieces("d y"), pieces("d w", "d v")
    for name, entries in zip(
        ("1.tsv", "2.tsv", "1.heldout.tsv", "2.heldout.tsv"), (first, second, *heldout), strict=True
    ):
        file.write(tmp_path / name, entries, dictionary)
    command = ["python", "preprocess/lexicon.py", "pivot", tmp_path / "1.tsv", tmp_path / "2.tsv"]
    command += ["--heldout-lexicon", tmp_path / "1.heldout.tsv", tmp_path / "2.heldout.tsv"]
    command += ["--dict", tmp_path / "dict.txt", "--out", tmp_path / "out.tsv", "--heldout", tmp_path / "held.tsv"]
    assert "1 pairs left out of training: one of their words is held out" in run(command).stdout
    assert file.read(tmp_path / "out.tsv") == (pieces("x u 5"), vocabulary.checksum(dictionary))
    assert file.read(tmp_path / "held.tsv")[0] == pieces("y w", "y v")


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("words NONE --model NONE", "--heldout-rate above 0 or --heldout-input"),
        ("pivot NONE NONE", "--heldout-lexicon"),
    ],
)
def test_a_file_of_held_out_pairs_needs_pairs_to_hold_out(tmp_path, capsys, command, advice):
    command = f"lexicon {command} --dict NONE --out OUT --heldout OUT".replace("OUT", str(tmp_path / "out"))
    assert cli.main(command.split()) == 1
    expected = f"error: --heldout: found no pairs to hold out, expected {advice}; give it, or leave --heldout out\n"
    assert capsys.readouterr().err == expected and not any(tmp_path.iterdir())
