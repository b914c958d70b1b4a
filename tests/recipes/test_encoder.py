"""examples/encoder runs from a tiny XLM-R and invented languages to a report and a model for transformers."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from fairseq_align.data import binarized
from fairseq_align.huggingface import fairseq_checkpoint
from fairseq_align.results import records as results
from fairseq_align.text import subword
from fairseq_align.text.encoder import TextEncoder
from tests.huggingface.models import TINY, random_model, sentences

pytest.importorskip("safetensors", reason="waits for the extra hf: EXTRAS=hf bash install.sh")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A model in fairseq's layout with its checksum, a word list, and binarized text of two invented languages."""
    work = tmp_path_factory.mktemp("xlmr")
    xlmr = work / "toy" / "xlmr"
    texts = {lang: sentences(200, seed) for seed, lang in enumerate(("en", "fr"), 1)}
    xlmr.mkdir(parents=True)
    (work / "toy" / "text").write_text("\n".join(sum(texts.values(), [])), encoding="utf-8")
    dictionary = subword.train([work / "toy" / "text"], xlmr, vocab_size=60, character_coverage=1.0)
    encode = TextEncoder(subword.load(xlmr / "spm.model"), dictionary, "en", tokenized=True)
    for lang, text in texts.items():
        (work / "toy" / lang).mkdir()
        (work / "toy" / lang / "text.txt").write_text("\n".join(text), encoding="utf-8")
        (work / "corpus" / lang).mkdir(parents=True)
        (work / "corpus" / lang / "counts.json").write_text("{}")  # the corpus is made
        (work / "data-bin" / lang).mkdir(parents=True)
        for split in ("train", "valid", "test"):
            with binarized.writer(work / "data-bin" / lang / split, len(dictionary)) as out:
                for sentence in text:
                    ids = [*encode(sentence), dictionary.eos()]
                    out.add(np.array(ids), np.array([len(ids)]))
    words = [list(dict.fromkeys(" ".join(text).split()))[:40] for text in texts.values()]
    lines = [f"{source}\t{target}\n" for source, target in zip(*words, strict=True) if source != target]
    (work / "toy" / "words.tsv").write_text("".join(lines[:25]), encoding="utf-8")
    (work / "toy" / "heldout.tsv").write_text("".join(lines[25:]), encoding="utf-8")
    (xlmr / "spm.model").rename(xlmr / "sentencepiece.bpe.model")
    size = replace(TINY, ffn_dim=4 * TINY.dim, vocabulary=len(dictionary) + 1)
    torch.save(fairseq_checkpoint.to_checkpoint(random_model(size), str(xlmr)), xlmr / "model.pt")
    digest = hashlib.sha256((xlmr / "model.pt").read_bytes()).hexdigest()
    (work / "toy" / "SHA256SUMS").write_text(f"{digest}  {xlmr / 'model.pt'}\n")
    return work


@pytest.fixture(scope="module")
def study(run, work):
    """The folder after the study has run in it."""
    run(["bash", "examples/grid.sh", "encoder", "smoke"], WORK=work)
    return work


def test_a_study_from_xlmr_runs_to_a_report_and_to_transformers(study):
    work = study
    assert (work / "spm" / "dict.txt").read_bytes() == (work / "toy" / "xlmr" / "dict.txt").read_bytes()
    records = results.read(work / "results.jsonl")
    assert {(r["task"], r["lang"]) for r in records} == {
        ("mlm", "en"), ("mlm", "fr"), ("alignment", "fr"),
    }  # fmt: skip
    log = (work / "runs" / "align_mlm-fr-1" / "pretrain" / "train.log").read_text()
    assert "loading pretrained model from" in log
    card = (work / "hf" / "align_mlm-fr-1" / "README.md").read_text(encoding="utf-8")
    assert "ALIGN-MLM, alpha = 10.0" in card and "mlm loss" in card and "- Base model: `xlmr`" in card
    assert "learning rates, times --lr: word embeddings 0.81, positions and layers 0.81 to 1, head 1" in log
    assert "weights are frozen" in log and "anchor_drift" in log and not (work / "hf" / "align_mlm-fr-1-alone").exists()
    assert {(r["objective"], r.get("variant")) for r in records} == {
        ("align_mlm", name) for name in (None, "alone", "first")
    }
    first = work / "runs" / "align_mlm-fr-1-first" / "pretrain"
    assert f"loading pretrained model from {first}/aligned.pt" in (first / "train.log").read_text()
    before, trained, alone = (
        torch.load(path / "model.pt", weights_only=True)["model"]
        for path in (
            work / "encoder",
            *(work / "runs" / f"align_mlm-fr-1{name}" / "pretrain" for name in ("", "-alone")),
        )
    )
    changed = [{name for name in before if not torch.equal(before[name], after[name])} for after in (trained, alone)]
    assert not any(".layers.0." in name for name in changed[0]) and any(".layers.1." in name for name in changed[0])
    assert changed[1] == {"encoder.sentence_encoder.embed_tokens.weight", "encoder.lm_head.weight"}


def test_the_model_of_a_study_fills_masks(study):
    """What the study has exported, in a pipeline of transformers."""
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    fill = transformers.pipeline("fill-mask", model=str(study / "hf" / "align_mlm-fr-1"), device="cpu")
    word = sentences(1)[0].split()[0]
    found = fill(f"{word} <mask> {word}", top_k=3)
    assert len(found) == 3 and all(0 < answer["score"] <= 1 for answer in found)


def test_the_files_of_a_study_say_what_to_keep(run):
    files = {"TOKENIZED_en": "a.txt.gz b.txt", "TARGETS": "fr", "XNLI_en": "x,y z -", "TATOEBA_fr": "t.tsv:1,2"}
    done = run(["bash", "examples/encoder/prepare.sh", "--dry-run"], KEEP=1, ENCODER="some/model", WORK="none", **files)
    line = next(line for line in done.stdout.splitlines() if line.startswith("fairseq-align import"))
    assert line.split()[2:] == [*"some/model none/encoder --keep-vocab a.txt.gz b.txt t.tsv x y z".split()]


def test_a_download_with_another_checksum_is_not_imported(run, work, tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  {work / 'toy' / 'xlmr' / 'model.pt'}\n")
    variables = {"WORK": tmp_path, "CHECKSUMS": tmp_path / "SHA256SUMS", "ENCODER": work / "toy" / "xlmr"}
    done = run(["bash", "examples/encoder/prepare.sh"], check=False, **variables)
    assert done.returncode == 1 and "model.pt: FAILED" in done.stdout and not (tmp_path / "encoder").exists()
