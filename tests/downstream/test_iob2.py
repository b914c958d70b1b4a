"""IOB2 files: what is read, what is refused, and how entities come through preprocess/tagging.py and derive.py."""

import gzip
import re

import pytest

from fairseq_align.data import binarized
from fairseq_align.downstream import iob2
from fairseq_align.errors import InputError
from fairseq_align.text import vocabulary

TYPES = ("LOC", "ORG", "PER")
LINES = ["-DOCSTART- O", "", "", "Mary\tB-PER", "Ann\tI-PER", "saw\tO", "", "New York\tB-LOC", "Bob\tB-PER"]
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


PUBLISHED = {  # the same two sentences
    "PAN-X": ["en:Ann\tB-PER", "en:Lee\tI-PER", "en:saw\tO", "", "en:10:30\tO", "en::\tO", "en:Rome\tB-LOC"],
    "PAN-X of Cantonese": [
        *("zh-yue:Ann\tB-PER", "zh-yue:Lee\tI-PER", "zh-yue:saw\tO", ""),
        *("zh-yue:10:30\tO", "zh-yue::\tO", "zh-yue:Rome\tB-LOC"),
    ],
    "UNER": [
        *("# sent_id = 1", "# text = Ann Lee saw O", "1\tAnn\tB-PER\t-\tx", "2\tLee\tI-PER\t-\t-"),
        *("3\tsaw\tO\t-\t-", "", "# sent_id = 2", "1\t10:30\tO\t-\tx", "2\t:\tO\t-\t-", "3\tRome\tB-LOC\t-\t-"),
    ],
    "GermEval": [
        *("#\thttp://de.wikipedia.org/wiki/Ann [2009-10-17]", "1\tAnn\tB-PER\tO", "2\tLee\tI-PER\tB-LOC"),
        *("3\tsaw\tO\tO", "", "#\tn-tv.de vom 26.02.2005 [2005-02-26] "),
        *("1\t10:30\tO\tO", "2\t:\tO\tO", "3\tRome\tB-LOC\tO"),
    ],
    "CoNLL-2003": [
        *("-DOCSTART- -X- -X- O", "", "Ann NNP B-NP B-PER", "Lee NNP I-NP I-PER", "saw VBD B-VP O", ""),
        *("10:30 CD B-NP O", ": : O O", "Rome NNP B-NP B-LOC"),
    ],
    "MultiCoNER": [
        *("# id 0f8c\tdomain=en", "Ann _ _ B-PER", "Lee _ _ I-PER", "saw _ _ O", ""),
        *("# id 1a2b\tdomain=en", "10:30 _ _ O", ": _ _ O", "Rome _ _ B-LOC"),
    ],
    "BIOES": ["Ann B-PER", "Lee E-PER", "saw O", "", "10:30 O", ": O", "Rome S-LOC"],
    "BILOU": ["Ann\tB-PER", "Lee\tL-PER", "saw\tO", "", "10:30\tO", ":\tO", "Rome\tU-LOC"],
    "predictions": ["Ann\tO\tB-PER", "Lee\tO\tI-PER", "saw\tO\tO", "", "10:30\tO\tO", ":\tO\tO", "Rome\tO\tB-LOC"],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_formats_are_read_by_what_they_say_of_themselves(tmp_path, name):
    assert list(iob2.read(write(tmp_path / "a", PUBLISHED[name]), TYPES)) == [
        (["Ann", "Lee", "saw"], ["B-PER", "I-PER", "O"]),
        (["10:30", ":", "Rome"], ["O", "O", "B-LOC"]),
    ]


def test_columns_can_be_named(tmp_path):
    path = write(tmp_path / "a", ["x\tAnn\tB-PER\tO", "y\tleft\tO\tO"])
    assert list(iob2.read(path, TYPES, columns=(2, 3))) == [(["Ann", "left"], ["B-PER", "O"])]
    with pytest.raises(InputError, match="a:1: found 4 columns, expected 5 or more; check --columns"):
        list(iob2.read(path, TYPES, columns=(2, 5)))
    assert iob2.parse_columns("2,3") == (2, 3)
    for text in ("2", "0,1", "a,b", "1,2,3"):
        with pytest.raises(InputError, match=f"--columns: found '{text}', expected those of word and tag"):
            iob2.parse_columns(text)


def test_what_looks_like_a_comment_or_a_language_may_be_a_word(tmp_path):
    lines = ["#\tO", "# 1\tO", "http://x\tO", "", "at:\tO", "re:\tO"]
    assert list(iob2.read(write(tmp_path / "a", lines), TYPES)) == [
        (["#", "# 1", "http://x"], ["O"] * 3),
        (["at:", "re:"], ["O"] * 2),
    ]
    with pytest.raises(InputError, match="a:4: found 'saw' without the en: of the words before"):
        list(iob2.read(write(tmp_path / "a", ["en:Ann\tO", "en:Lee\tO", "", "saw\tO"]), TYPES))


def test_no_break_spaces_are_inside_words(tmp_path):
    assert list(iob2.read(write(tmp_path / "a", ["50\u00a0000 O", "Rome B-LOC"]), TYPES)) == [
        (["50 000", "Rome"], ["O", "B-LOC"])
    ]


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
    assert (tmp_path / "spm.model").read_bytes() == (toy / "spm" / "spm.model").read_bytes()
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
