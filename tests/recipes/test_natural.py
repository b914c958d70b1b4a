"""examples/natural runs on two invented languages, from text and word lists to a report."""

import re
from collections import Counter

import pytest

from fairseq_align.data import binarized
from fairseq_align.lexicon import file as lexicon
from fairseq_align.results import records as results


@pytest.fixture(scope="module")
def work(run, tmp_path_factory):
    """Text and treebanks of two languages, a word list and parallel text, all of them invented."""
    work = tmp_path_factory.mktemp("natural")
    for seed, lang in enumerate(("en", "fr"), 1):
        out = ["--out", work / "toy" / lang, "--seed", seed, "--sentences", 600, "--treebank", 100]
        run(["python", "examples/toy_language.py", *out])
    texts = [(work / "toy" / lang / "text.txt").read_text(encoding="utf-8").splitlines() for lang in ("en", "fr")]
    common = [[word for word, _ in Counter(" ".join(text).split()).most_common(120)] for text in texts]
    words = [f"{source}\t{target}\n" for source, target in zip(*common, strict=True)]
    (work / "toy" / "words.tsv").write_text("".join(words[:100]), encoding="utf-8")
    (work / "toy" / "heldout.tsv").write_text("".join(words[100:]), encoding="utf-8")
    word_by_word, short = dict(zip(*common, strict=True)), [text for text in texts[0] if len(text.split()) <= 8]
    pairs = [f"{text}\t{' '.join(word_by_word.get(word, word) for word in text.split())}\n" for text in short]
    (work / "toy" / "parallel.tsv").write_text("".join(pairs), encoding="utf-8")
    return work


def test_a_study_of_natural_languages_runs_from_text_to_report(run, work):
    command = ["bash", "examples/grid.sh", "natural", "smoke"]
    done = run(command, WORK=work)
    sides = [binarized.read(work / "data-bin" / f"en-fr.{lang}" / "train") for lang in ("en", "fr")]
    assert len(sides[0].sizes) == len(sides[1].sizes) > 0
    train, heldout = (lexicon.read(work / "lexicon" / f"en-fr{kind}.tsv")[0] for kind in ("", ".heldout"))
    assert not {entry.source for entry in train} & {entry.source for entry in heldout}
    (log,) = work.glob("runs/align_mlm+tlm-*/pretrain/train.log")
    settings = log.read_text().replace("'", "")  # a choice is shown with quotes or without
    assert "align_loss: contrastive" in settings and "tlm_pairs: en-fr.en:en-fr.fr" in settings
    assert "self_learn: en:fr:" in settings  # among the words of the text, not of the few pairs of sentences
    assert max(float(pairs) for pairs in re.findall(r"realign_pairs\W+([\d.]+)", settings)) > 0
    records = results.read(work / "results.jsonl")
    assert {(r["objective"], r.get("variant")) for r in records} == {("align_mlm", "+tlm-terms"), ("tlm", None)}
    assert {r["derivation"] for r in records} == {None}
    assert {(r["task"], r["lang"]) for r in records} == {
        ("mlm", "en"), ("mlm", "fr"), ("alignment", "fr"), ("retrieval", "en:fr"), ("pos", "en"), ("pos", "fr"),
    }  # fmt: skip
    assert "ALIGN-MLM +tlm-terms" in done.stdout and "POS zero-shot" in done.stdout
    run(command, WORK=work)
    assert len(results.read(work / "results.jsonl")) == len(records)
