"""Sentence pairs: the layouts of XNLI and MultiNLI, binarized as fairseq's sentence_prediction reads them, derived."""

import gzip
import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.data import binarized
from fairseq_align.downstream import nli
from fairseq_align.errors import InputError
from fairseq_align.text import vocabulary

PAIRS = [nli.Pair('He said "no".', "He spoke.", "entailment"), nli.Pair("It rains.", "It is dry.", "contradiction")]
XNLI_HEADER = ["language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse"]
XNLI_HEADER += ["sentence2_parse", "sentence1", "sentence2", "promptID", "pairID", "genre", "label1", "label2"]


def tsv(header, *rows) -> str:
    return "".join("\t".join(row) + "\n" for row in (header, *rows))


def xnli_row(lang, pair, label=None):
    return [lang, label or pair.label, "", "", "", "", pair.premise, pair.hypothesis, "1", "1", "face", "x", "y"]


def layouts() -> dict[str, str]:
    """The same two pairs, and what has to be left out, in each layout."""
    plain = [[pair.premise, pair.hypothesis, pair.label] for pair in PAIRS]
    rows = [xnli_row("en", pair) for pair in PAIRS]
    other = xnli_row("fr", nli.Pair("Il pleut.", "Oui.", "neutral"))
    torn = xnli_row("en", PAIRS[0], "-")
    objects = [dict(zip(XNLI_HEADER, row, strict=True)) for row in (*rows, other, torn)]
    mnli = [name for name in XNLI_HEADER if name != "language"]
    return {
        "xnli.tsv": tsv(XNLI_HEADER, *rows, other, torn),
        "xnli.jsonl": "".join(json.dumps(row) + "\n" for row in objects),
        "mnli.txt": tsv(mnli, *(row[1:11] for row in rows), torn[1:]),  # empty columns at the end are left out
        "mnli.jsonl": "".join(
            json.dumps({k: v for k, v in row.items() if k != "language"}) + "\n" for row in objects[:2]
        ),
        "ours.tsv": tsv(["premise", "hypothesis", "label"], *plain),
        "xnli-mt.tsv": tsv(
            ["premise", "hypo", "label"],
            *(
                [premise, hypothesis, label.replace("contradiction", "contradictory")]
                for premise, hypothesis, label in plain
            ),
        ),
    }


SNLI_HEADER = "index captionID pairID b1 b2 p1 p2 sentence1 sentence2 label1 gold_label".split()


def snli_row(pair, *labels):
    return ["0", "c", "p", "(", "(", "(", "(", pair.premise, pair.hypothesis, *labels]


def test_the_gold_label_of_glues_snli_is_the_last_one(tmp_path):
    """Its header names one annotator, its rows have one or five."""
    five = snli_row(PAIRS[1], "neutral", "contradiction", "contradiction", "neutral", "contradiction", "contradiction")
    torn = snli_row(PAIRS[1], "neutral", "contradiction", "entailment", "", "", "-")
    (tmp_path / "a.tsv").write_text(tsv(SNLI_HEADER, snli_row(PAIRS[0], "neutral", "entailment"), five, torn))
    counts = Counter()
    assert list(nli.read(tmp_path / "a.tsv", "en", counts)) == PAIRS and counts["no_consensus"] == 1


@pytest.mark.parametrize("header", [XNLI_HEADER, SNLI_HEADER, ["premise", "hypothesis", "label"]], ids=len)
@pytest.mark.parametrize("tabs", [1, 2, 4])
def test_a_tab_inside_a_sentence_is_refused(tmp_path, header, tabs):
    pair = nli.Pair("A dog" + "\t" * tabs + "runs.", "It moves.", "entailment")
    rows = {13: xnli_row("en", pair), 11: snli_row(pair, "neutral", "entailment"), 3: list(pair)}
    (tmp_path / "a.tsv").write_text(tsv(header, rows[len(header)]))
    message = f"a.tsv:2: found {len(header) + tabs} columns, expected {len(header)} as in the header; mend the line"
    with pytest.raises(InputError, match=message):
        list(nli.read(tmp_path / "a.tsv", "en", Counter()))


def test_a_lost_column_is_told_from_labels_that_are_left_out(tmp_path):
    whole = xnli_row("en", PAIRS[0])[:11]  # of 13: without the annotators'
    (tmp_path / "a.tsv").write_text(tsv(XNLI_HEADER, whole))
    assert list(nli.read(tmp_path / "a.tsv", "en", Counter())) == PAIRS[:1]
    lost = [*whole[:9], "face", "neutral", "neutral"]  # the number of the pair was lost
    (tmp_path / "a.tsv").write_text(tsv(XNLI_HEADER, lost))
    with pytest.raises(InputError, match="a.tsv:2: found 12 columns, expected 13"):
        list(nli.read(tmp_path / "a.tsv", "en", Counter()))


@pytest.mark.parametrize("number", [str, int], ids=["text", "numbers"])
def test_labels_are_the_numbers_of_hugging_faces_datasets(tmp_path, number):
    """0 entailment, 1 neutral, 2 contradiction, -1 no gold label, as the cards of xnli, multi_nli and snli say."""
    names = {"0": "entailment", "1": "neutral", "2": "contradiction"}
    rows = [{"premise": f"p{label}", "hypothesis": "h", "label": number(label)} for label in (*names, "-1")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.tsv").write_text(tsv(["premise", "hypothesis", "label"], *(map(str, row.values()) for row in rows)))
    expected = [nli.Pair(f"p{label}", "h", name) for label, name in names.items()]
    for path in (tmp_path / "a.jsonl", tmp_path / "a.tsv"):
        counts = Counter()
        assert list(nli.read(path, "en", counts)) == expected and counts == {"no_consensus": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(rows[0] | {"label": 3}))
    message = r"a.jsonl:1: found label '3', expected one of contradiction.* 0 \(entailment\), 1 \(neutral\), 2 \(contra"
    with pytest.raises(InputError, match=message):
        list(nli.read(tmp_path / "a.jsonl", "en", Counter()))


@pytest.mark.parametrize("name", layouts())
def test_every_layout_gives_the_same_pairs(tmp_path, name):
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(layouts()[name].encode()))
    counts = Counter()
    assert list(nli.read(tmp_path / f"{name}.gz", "en", counts)) == PAIRS
    assert counts == {"xnli.tsv": {"other": 1, "no_consensus": 1}, "xnli.jsonl": {"other": 1, "no_consensus": 1}}.get(
        name, {"no_consensus": 1} if name == "mnli.txt" else {}
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "premise\thypothesis\n", "a.tsv:1: found no column gold_label or label"),
        ("a.tsv", "premise\thypothesis\tlabel\na\tb\tmaybe\n", "a.tsv:2: found label 'maybe', expected one of contrad"),
        ("a.tsv", "premise\thypothesis\tlabel\na\tb\n", "a.tsv:2: found no label, expected gold_label or label"),
        ("a.tsv", "premise\thypothesis\tlabel\n", "a.tsv: found no pair, expected pairs of en"),
        ("a.tsv", tsv(XNLI_HEADER, xnli_row("fr", PAIRS[0])), "a.tsv: found languages fr, expected pairs of en"),
        ("a.jsonl", "{", "a.jsonl:1: found .*, expected one JSON object a line"),
        ("a.jsonl", '{"sentence1": "a", "sentence2": null, "gold_label": "-"}\n', "a.jsonl:1: found no hypothesis"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        list(nli.read(tmp_path / name, "en", Counter()))


@pytest.mark.parametrize(("sizes", "kept"), [((3, 4), (3, 4)), ((2, 9), (2, 6)), ((9, 2), (6, 2)), ((9, 9), (4, 4))])
def test_the_longer_sentence_is_shortened_by_hand(sizes, kept):
    first, second = (list(range(size)) for size in sizes)
    assert tuple(map(len, nli.shortened(first, second, 8))) == kept


@given(st.integers(0, 50), st.integers(0, 50), st.integers(4, 60))
def test_a_shortened_pair_fits_and_loses_no_more_than_it_must(a, b, room):
    first, second = nli.shortened(list(range(a)), list(range(b)), room)
    assert len(first) + len(second) == min(a + b, room)
    assert first == list(range(len(first))) and second == list(range(len(second)))


def test_pairs_are_binarized_as_fairseq_does_and_derived(toy, run, tmp_path):
    text = tsv(["premise", "hypothesis", "label"], ["zu mo ba .", "li ka", "neutral"], ["", "ba ba", "entailment"])
    (tmp_path / "a.tsv").write_text(text)
    flags = ["--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt", "--lang", "en", "--tokenized"]
    script = ["python", "preprocess/xnli.py", *flags, "--out", tmp_path / "bin"]
    shown = run([*script, "--test", tmp_path / "a.tsv", "--train", tmp_path / "a.tsv", tmp_path / "a.tsv"]).stdout
    assert "en train: 4 pairs" in shown and "en test: 2 pairs" in shown and "0 shortened" in shown
    assert (tmp_path / "bin" / "spm.model").read_bytes() == (toy / "spm" / "spm.model").read_bytes()
    derive = ["python", "preprocess/derive.py", tmp_path / "bin" / "en", tmp_path / "bin" / "en-x"]
    like = toy / "data-bin" / "en-transliterate+invert" / "derivation.json"
    for _ in range(2):  # a second run replaces the first
        run([*derive, "--like", like])
    dictionary = vocabulary.load(tmp_path / "bin" / "input0" / "dict.txt")
    read = {
        (name, lang): binarized.read(tmp_path / "bin" / name / f"test_{lang}")
        for name in ("input0", "input1", "label")
        for lang in ("en", "en-x")
    }
    labels = vocabulary.load(tmp_path / "bin" / "label" / "dict.txt")
    assert labels.symbols[4:] == ["contradiction", "neutral", "entailment"]
    for lang in ("en", "en-x"):
        assert read["label", lang].tokens.tolist() == [5, 2, 6, 2] and read["label", lang].sizes.tolist() == [2, 2]
    first = dictionary.string(read["input0", "en"].tokens).replace(" ", "").replace("\u2581", " ")
    assert first.strip().startswith("zu mo ba .")
    assert read["input0", "en"].sizes[1] == 1  # an empty premise is </s> alone
    half = vocabulary.derived_size(dictionary)
    for side in ("input0", "input1"):
        source, derived = read[side, "en"], read[side, "en-x"]
        back = np.where(derived.tokens >= 4 + half, derived.tokens - half, derived.tokens)
        assert np.array_equal(source.sizes, derived.sizes) and sorted(back) == sorted(source.tokens)
        assert (derived.tokens >= 4 + half).sum() == (source.tokens >= 4).sum()


def test_the_script_says_what_to_mend(toy, run, tmp_path):
    flags = ["--model", toy / "spm" / "spm.model", "--dict", toy / "spm" / "dict.txt", "--lang", "en"]
    done = run(["python", "preprocess/xnli.py", *flags, "--out", tmp_path, "--test", "none.tsv"], check=False)
    assert done.returncode == 1 and re.search("error: none.tsv: found .*No such file", done.stderr)
    assert not list(tmp_path.glob("*/*.idx"))


# pairs as the table of the data counts them
@pytest.mark.parametrize(
    ("name", "lang", "pairs"), [("xnli-dev-fr.tsv", "fr", 2490), ("nli-train-en.sick.tsv", "en", 8842)]
)
def test_real_pairs_are_read(data_dir, name, lang, pairs):
    assert len(list(nli.read(data_dir / "xnli" / name, lang, Counter()))) == pairs
