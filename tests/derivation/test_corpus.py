"""Derived languages as folders: the front door preprocess/derive.py, what it refuses, and transforms from outside."""

import hashlib
import json
import re
import runpy
import sys

import numpy as np
import pytest

from fairseq_align.data import binarized
from fairseq_align.derivation import corpus
from fairseq_align.derivation.record import Derivation
from fairseq_align.derivation.transforms import TRANSFORMS, Transform, scatter
from fairseq_align.text import vocabulary
from tests.support.toy_pieces import PIECES, UNK, chunk, make_dictionary, text


def test_chunks_hold_whole_sentences():
    five_items = binarized.Corpus(np.arange(10), np.array([3, 0, 4, 1, 2]))
    assert [(span.start, span.stop, items.start, items.stop) for span, items in corpus.chunks(five_items, 5)] == [
        (0, 3, 0, 2), (3, 8, 2, 4), (8, 10, 4, 5),
    ]  # fmt: skip
    # a sentence that is longer is a chunk of its own
    assert [items.stop for _, items in corpus.chunks(five_items, 1)] == [1, 2, 3, 4, 5]


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


def test_a_record_of_another_source_is_refused_and_names_both(run, data):
    """``en-syntax`` in another script is not ``en`` in another script: its words stand in another order."""
    derive(run, data, "--transforms", "transliterate")
    path = data / "en-x" / "derivation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"source": "en-syntax"}))
    before = sorted(data.rglob("*"))
    done = run(["python", "preprocess/derive.py", data / "en", data / "en-y", "--like", path], check=False)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1 and sorted(data.rglob("*")) == before
    assert "derivation.json: found a derivation of en-syntax, expected one of en, the language of" in line


def test_permuting_subwords_says_that_no_word_stays_whole(run, data):
    for flags, line in [
        (["--transforms", "permute", "--unit", "subword"], True),
        (["--transforms", "permute"], False),
        (["--transforms", "invert", "--unit", "subword"], False),
    ]:
        said = derive(run, data, *flags).stderr
        assert ("en-x: permute by subwords scatters the pieces of a word over its sentence; a label" in said) == line
    (data / "en" / "train.label.idx").unlink()
    said = derive(run, data, "--transforms", "permute", "--unit", "subword").stderr
    assert "over its sentence" in said and "label" not in said
    assert "which permute scatters" in " ".join(run(["python", "preprocess/derive.py", "--help"]).stdout.split())


def test_a_record_names_the_sentencepiece_model_and_holds_other_data_to_it(run, data):
    """Two models of one vocabulary segment otherwise, and dict.txt does not show it."""
    (data / "spm.model").write_bytes(b"one model")
    derive(run, data, "--transforms", "invert")
    path = data / "en-x" / "derivation.json"
    record = json.loads(path.read_text())
    assert record["sentencepiece"] == sha(b"one model")
    same = derive(run, data, "--like", path)
    assert json.loads(path.read_text()) == record and "checksum" not in same.stderr
    (data / "spm.model").write_bytes(b"another model")
    other = derive(run, data, "--like", path, check=False)
    assert other.returncode == 1 and json.loads(path.read_text()) == record
    found, expected = sha(b"another model"), sha(b"one model")
    assert f"spm.model: found SentencePiece model {found}, expected {expected} of" in other.stderr
    # a record of a version that did not name one
    del record["sentencepiece"]
    path.write_text(json.dumps(record))
    older = derive(run, data, "--like", path)
    assert "derivation.json has no checksum of a SentencePiece model: whether it was" in older.stderr
    assert json.loads(path.read_text()) == record | {"sentencepiece": sha(b"another model")}
    # data that have none follow the record, which goes on naming its own
    (data / "spm.model").unlink()
    derive(run, data, "--like", path)
    assert json.loads(path.read_text())["sentencepiece"] == sha(b"another model")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


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
        (forget_labels, ["--transforms", "invert"], "one label a token; run fairseq-align tagging again"),
        (truncate, ["--transforms", "invert"], r"found 19 bytes, expected 20"),
        (lambda data: None, ["--transforms", "mirror"], "mirror.*expected transforms out of"),
        (lambda data: None, [], "expected one of them"),
        (lambda data: None, ["--like", "nowhere.json"], "nowhere.json: found No such file"),
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


def swapped(chunk, deriver):
    """The first two tokens of every sentence swapped, a random one of them turned into ``<unk>``."""
    positions = np.arange(len(chunk.tokens))
    first = np.cumsum(chunk.sizes) - chunk.sizes
    positions[first], positions[first + 1] = first + 1, first
    tokens = scatter(chunk.tokens, positions)
    tokens[first + deriver.rng.integers(2, size=len(first))] = deriver.dictionary.unk()
    return tokens, positions


def test_a_transform_from_outside_is_one_row(data, repo, monkeypatch, capsys):
    """A plugin's row goes through the command, its help, the record, and back from the record in Python."""
    monkeypatch.setitem(TRANSFORMS, "swap", Transform(swapped))
    script = str(repo / "preprocess" / "derive.py")
    for arguments in (["--help"], [str(data / "en"), str(data / "en-x"), "--transforms", "invert,swap", "--seed", "4"]):
        monkeypatch.setattr(sys, "argv", ["derive.py", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(script, run_name="__main__")
        assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "transliterate, invert, permute, swap" in " ".join(shown.split())
    assert "en-x/train: 10 tokens, invert then swap" in shown
    tokens = binarized.read(data / "en-x" / "train").tokens
    assert (tokens == UNK).sum() == 2 and UNK in tokens[:2]
    assert binarized.read(data / "en-x" / "train.label").tokens.tolist() == [6, 7, 1, 5, 4, 4, 1, 4, 6, 1]
    record = data / "en-x" / "derivation.json"
    assert Derivation.load(record).transforms == ("invert", "swap")
    again = corpus.derive(data / "en", data / "en-y", like=record)
    assert again.tokens == {"train": 10} and again.derivation == Derivation.load(record)
    assert binarized.read(data / "en-y" / "train").tokens.tolist() == tokens.tolist()
    assert vocabulary.derived_size(vocabulary.load(data / "dict.txt")) is None
    # a row that writes derived pieces has the dictionary doubled
    monkeypatch.setitem(TRANSFORMS, "swap", Transform(swapped, new_script=True))
    corpus.derive(data / "en", data / "en-z", ["swap"])
    assert vocabulary.derived_size(vocabulary.load(data / "dict.txt")) == len(PIECES)
