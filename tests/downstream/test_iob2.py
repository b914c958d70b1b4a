"""IOB2 files: what is read, what is refused, and how entities come through preprocess/tagging.py and derive.py."""

import gzip
import re

import pytest

from fairseq_align.data import binarized
from fairseq_align.downstream import iob2
from fairseq_align.errors import InputError
from fairseq_align.text import vocabulary

TYPES = ("LOC", "ORG", "PER")
LINES = ["-DOCSTART- O", "", "", "Mary\tB-PER", "Ann\tI-PER", "saw\tO", "", "New York\tx\tB-LOC", "Bob B-PER"]
SENTENCES = [(["Mary", "Ann", "saw"], ["B-PER", "I-PER", "O"]), (["New York", "Bob"], ["B-LOC", "B-PER"])]


def write(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_words_and_tags_are_read_from_first_and_last_columns(tmp_path):
    assert list(iob2.read(write(tmp_path / "a.iob2", LINES), TYPES)) == SENTENCES


def test_gzip_and_carriage_returns_are_read(tmp_path):
    (tmp_path / "a.iob2.gz").write_bytes(gzip.compress("\r\n".join(LINES).encode()))
    assert list(iob2.read(tmp_path / "a.iob2.gz", TYPES)) == SENTENCES


def test_an_empty_file_has_no_sentence(tmp_path):
    assert list(iob2.read(write(tmp_path / "a.iob2", ["", ""]), TYPES)) == []


def test_iob1_is_refused_and_can_be_converted(tmp_path):
    path = write(tmp_path / "a.iob1", ["U.N.\tI-ORG", "official\tO", "Ekeus\tI-PER", "Rolf\tB-PER", "Ba\tI-LOC"])
    with pytest.raises(InputError, match=r"a.iob1:1: found I-ORG of 'U.N.' after O, expected B-ORG.*--scheme iob1"):
        list(iob2.read(path, TYPES))
    ((_, tags),) = iob2.read(path, TYPES, scheme="iob1")
    assert tags == ["B-ORG", "O", "B-PER", "B-PER", "B-LOC"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Paris\tB-MISC", "found tag 'B-MISC' of 'Paris', expected one of O B-LOC .*; mend the tag, or .* --types"),
        ("Paris", "found 'Paris', expected 'word<TAB>tag'"),
        ("\tB-LOC", "found .*, expected 'word<TAB>tag'"),
        ("Paris\tI-LOC", "found I-LOC of 'Paris' after O, expected B-LOC"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    path = write(tmp_path / "a.iob2", ["in\tO", line])
    with pytest.raises(InputError, match=f"a.iob2:2: {message}"):
        list(iob2.read(path, TYPES))


def test_an_entity_ends_with_its_sentence(tmp_path):
    path = write(tmp_path / "a.iob2", ["Ann\tB-PER", "", "Bob\tI-PER"])
    with pytest.raises(InputError, match="a.iob2:3: found I-PER of 'Bob' after O"):
        list(iob2.read(path, TYPES))


def test_entities_are_binarized_and_derived_well_formed(toy, run, tmp_path):
    """Scripts: the labels in a fixed order, spans of inverted and of permuted languages whole or begun anew."""
    lines = ["zu\tB-PER", "ka ri\tI-PER", "mo\tO", "\u200b\tB-LOC", "li\tI-LOC", "", "ba\tB-ORG", ".\tI-ORG"]
    flags = ["--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt", "--lang", "en"]
    script = ["python", "preprocess/tagging.py", "--task", "ner", *flags, "--out", tmp_path]
    run([*script, "--test", write(tmp_path / "a.iob2", lines)])
    labels = vocabulary.load(tmp_path / "label" / "dict.txt")
    assert labels.symbols[4:] == ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]

    def labelled(lang):
        corpus = binarized.read(tmp_path / lang / "test.label")
        return [labels[label] for label in corpus.tokens if label != labels.pad()]

    assert labelled("en") == [line.split("\t")[1] for line in lines if line]
    derive = ["python", "preprocess/derive.py", tmp_path / "en"]
    run([*derive, tmp_path / "en-t", "--transforms", "transliterate"])  # no token moves
    assert labelled("en-t") == labelled("en")
    run([*derive, tmp_path / "en-i", "--transforms", "transliterate,invert"])
    # the final stop of the second sentence stays last, and the name that it ends is one entity still
    assert labelled("en-i") == ["B-LOC", "I-LOC", "O", "B-PER", "I-PER", "B-ORG", "I-ORG"]
    run([*derive, tmp_path / "en-p", "--transforms", "permute"])
    permuted = labelled("en-p")
    assert sorted(tag[2:] for tag in permuted) == sorted(tag[2:] for tag in labelled("en"))
    for previous, tag in zip(["O", *permuted], permuted, strict=False):
        assert not tag.startswith("I-") or previous[2:] == tag[2:]


# sentences as the table of the data counts them
@pytest.mark.parametrize(("name", "sentences"), [("panx-en-test.iob2", 8500), ("panx-hi-test.iob2", 450)])
def test_pan_x_is_strict_iob2(data_dir, name, sentences):
    assert len(list(iob2.read(data_dir / "ner" / name, TYPES))) == sentences


def test_another_language_shares_the_labels(toy, run, tmp_path):
    flags = [
        "--model",
        toy / "spm" / "spm.model",
        "--dict",
        toy / "spm" / "dict.txt",
        "--out",
        tmp_path,
        "--task",
        "ner",
    ]
    script = ["python", "preprocess/tagging.py", *flags]
    run([*script, "--lang", "en", "--test", write(tmp_path / "a.iob2", ["ba\tB-ORG"])])
    other = run(
        [*script, "--lang", "fr", "--types", "LOC,MISC", "--test", write(tmp_path / "b.iob2", ["ba\tO"])], check=False
    )
    assert other.returncode == 1
    assert re.search("error: .*label/dict.txt: found other symbols than those of task ner", other.stderr)
