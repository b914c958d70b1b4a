"""To Hugging Face and back: weights to the bit, logits, ids of the tokenizer; a run from XLM-R to a pipeline; refusals.

Run with transformers 5.23.0 and 4.57.6.
"""

import io
import json
import random
import shutil
import sys
import tarfile
from argparse import Namespace
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align import (
    cli,
    corpus,
    encoder,
    evaluation,
    huggingface,
    nli,
    pretrained,
    results,
    roberta,
    subword,
    tokenizer,
    treebank,
    vocabulary,
)
from fairseq_align.encoder import HEAD_NAME, Architecture, Model

safetensors = pytest.importorskip("safetensors.torch", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
tokenizers = pytest.importorskip("tokenizers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")

LANGS = ("en", "fr", "ar", "hi")
TINY = Architecture("masked_lm", 0, layers=2, dim=16, ffn_dim=24, heads=2, positions=40, head_dropout=0.2)
WORDS = ["ba", "ti", "go", "lu", "ne", "sha", "mo", "ki", "ré", "dün"]


def sentences(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    words = ["".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(60)]
    return [" ".join(rng.choices(words, weights=range(60, 0, -1), k=rng.randint(3, 9))) + " ." for _ in range(count)]


@pytest.fixture(scope="module")
def spm(tmp_path_factory) -> Path:
    """Folder of a small SentencePiece model, ``text`` that it was trained on, and ``dict.txt``."""
    folder = tmp_path_factory.mktemp("spm")
    (folder / "text").write_text("\n".join(sentences(400)) + "\n", encoding="utf-8")
    subword.train([folder / "text"], folder, vocab_size=60, character_coverage=1.0)
    return folder


def random_model(size: Architecture) -> Model:
    """Weights so large that an error in any of them shows in the logits."""
    generator = torch.Generator().manual_seed(1)
    kind = getattr(torch, size.dtype)
    return Model(
        size, {p.fairseq: (torch.randn(p.shape, generator=generator) * 0.3).to(kind) for p in encoder.pairs(size)}
    )


def save(folder: Path, size: Architecture, dictionary: Dictionary) -> Path:
    """A checkpoint, ``folder/model.pt``, with its data's dict.txt and label/dict.txt beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.save(dictionary, folder / "dict.txt")
    for name in ("label", "input0"):
        (folder / name).mkdir()
    shutil.copyfile(folder / "dict.txt", folder / "input0" / "dict.txt")
    vocabulary.save(huggingface.label_dictionary(size.labels), folder / "label" / "dict.txt")
    model = random_model(replace(size, vocabulary=len(dictionary) + 1))
    torch.save(roberta.to_checkpoint(model, str(folder), "en"), folder / "model.pt")
    return folder / "model.pt"


def export(checkpoint: Path, out: Path, spm: Path, *flags) -> Path:
    assert cli.main(["export", *map(str, (checkpoint, out, "--model", spm / "spm.model", *flags))]) == 0
    return out


def imported(source: Path, out: Path, *flags) -> dict:
    assert cli.main(["import", *map(str, (source, out, *flags))]) == 0
    return torch.load(out / "model.pt", weights_only=True)


def same_tensors(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


KINDS = {
    "masked_lm": TINY,
    "untied": replace(TINY, tied=False),
    "half": replace(TINY, dtype="float16"),
    "tagger": replace(TINY, head="tagger", labels=("O", "B-PER", "I-PER"), activation="relu"),
    "classifier": replace(TINY, head="classifier", labels=nli.LABELS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_round_trip_is_bitwise(kind, spm, tmp_path):
    """Also of derived pieces, and of mask symbols of languages."""
    dictionary = vocabulary.double(vocabulary.load(spm / "dict.txt"))
    dictionary = vocabulary.with_language_masks(dictionary, ["en", "fr"])
    checkpoint = save(tmp_path / "ours", KINDS[kind], dictionary)
    folder = export(checkpoint, tmp_path / "theirs", spm)
    before, after = torch.load(checkpoint, weights_only=True), imported(folder, tmp_path / "back", "--lang", "en")
    weights = [dict(state["model"]) for state in (before, after)]
    if kind == "classifier":  # its masked-LM head, which nothing uses, stays behind
        weights = [{k: v for k, v in state.items() if not k.startswith("encoder.lm_head.")} for state in weights]
    assert same_tensors(*weights)
    assert vars(before["cfg"]["model"]) | {"data": ""} == vars(after["cfg"]["model"]) | {"data": ""}
    assert before["task_state"] == after["task_state"]
    for name, other in (("dict.txt", "dict.txt"), ("label/dict.txt", "label/dict.txt")):
        if KINDS[kind].labels or name == "dict.txt":
            assert (checkpoint.parent / name).read_bytes() == (tmp_path / "back" / other).read_bytes()
    assert (spm / "spm.model").read_bytes() == (tmp_path / "back" / "spm.model").read_bytes()
    # what transformers saves again has neither dict.txt nor SentencePiece's model; counts are lost, nothing else
    (folder / "dict.txt").unlink()
    (folder / "sentencepiece.bpe.model").unlink()
    again = imported(folder, tmp_path / "again")
    assert same_tensors(again["model"], after["model"])
    assert vocabulary.load(tmp_path / "again" / "dict.txt").symbols == dictionary.symbols
    processors = [subword.load(path / "spm.model") for path in (spm, tmp_path / "again")]
    for sentence in sentences(20, seed=2) + ["x\u00a0 \u2581ba q", "zBa\u200bti"]:
        assert processors[0].encode(sentence) == processors[1].encode(sentence)


@pytest.fixture(scope="module")
def natural(data_dir, tmp_path_factory) -> Path:
    """A SentencePiece model of four languages."""
    folder = tmp_path_factory.mktemp("natural")
    with open(folder / "text", "w", encoding="utf-8") as file:
        for lang in LANGS:
            suffix = ".gz" if lang == "hi" else ""
            for _, line in islice(corpus.read_lines(data_dir / "xnli" / f"xnli-dev-{lang}.tsv{suffix}"), 1, 800, 3):
                file.write(line.replace("\t", " ") + "\n")
    subword.train([folder / "text"], folder, vocab_size=3000)
    return folder


def xnli_test(data_dir: Path, lang: str, limit: int | None = None) -> list[str]:
    """Sentences of the test file, each once."""
    (path,) = (data_dir / "xnli").glob(f"xnli-test-{lang}.tsv*")
    pairs = islice(nli.read(path, lang, Counter()), limit)
    return list(dict.fromkeys(text for pair in pairs for text in (pair.premise, pair.hypothesis)))


def test_ids_are_ours_on_every_line_of_xnli(natural, data_dir):
    """Tokenised as preprocess/xnli.py does, and as the files have it."""
    dictionary = vocabulary.double(vocabulary.load(natural / "dict.txt"))
    dictionary.add_symbol(vocabulary.MASK)
    fast = tokenizer.build((natural / "spm.model").read_bytes(), dictionary, "spm.model")
    processor = subword.load(natural / "spm.model")
    for lang in LANGS:
        raw = xnli_test(data_dir, lang)
        assert len(raw) > 5000
        cleaning = corpus.Cleaning(lang, split=False)
        texts = [" ".join(cleaning.sentences(text)) for text in raw] + raw
        encode = nli.Encoder(processor, dictionary, lang, tokenized=True)
        found = [encoding.ids for encoding in fast.encode_batch(texts)]
        assert found == [[0, *encode(text), 2] for text in texts]
        assert 0 < sum(ids.count(dictionary.unk()) for ids in found) < 0.01 * sum(map(len, found))


ODD = "\u200b\u2581\u0301\u00a0\u00a8\ufb01\u0915\u094d\u0300\u3000\x1c\x07\ufeff\u2126e\u00e9\U0001f600ba ti~\n\t"


@given(st.text(st.sampled_from(ODD) | st.characters(codec="utf-8"), max_size=20))
def test_ids_are_ours_on_any_text(spm, text):
    """But for text that spells a special symbol."""
    dictionary = vocabulary.double(vocabulary.load(spm / "dict.txt"))
    fast = tokenizer.build((spm / "spm.model").read_bytes(), dictionary, "spm.model")
    ours = nli.Encoder(subword.load(spm / "spm.model"), dictionary, "en", tokenized=True)(text)
    assert fast.encode(text, add_special_tokens=False).ids == ours


def auto_model(kind: str):
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    return {
        "tagger": transformers.AutoModelForTokenClassification,
        "classifier": transformers.AutoModelForSequenceClassification,
    }.get(kind, transformers.AutoModelForMaskedLM)


@pytest.mark.parametrize("kind", ["masked_lm", "untied", "tagger", "classifier"])
def test_logits_agree_on_sentences_of_four_languages_with_padding(kind, natural, data_dir, tmp_path):
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    size = replace(KINDS[kind], positions=256)
    checkpoint = save(tmp_path / "ours", size, vocabulary.load(natural / "dict.txt"))
    folder = export(checkpoint, tmp_path / "theirs", natural)
    texts = [text for lang in LANGS for text in xnli_test(data_dir, lang, 50)[:50]]
    assert len(texts) == 200
    theirs = auto_model(kind).from_pretrained(folder).eval()
    data = checkpoint.parent
    ours, _, task = evaluation.load(checkpoint, data)
    batch = transformers.AutoTokenizer.from_pretrained(folder)(texts, return_tensors="pt", padding=True)
    tokens, kept = batch["input_ids"], batch["attention_mask"].bool()
    assert 0 < int((~kept).sum()) and tokens[~kept].eq(1).all()
    kwargs = {"features_only": True, "classification_head_name": HEAD_NAME} if kind == "classifier" else {}
    with torch.no_grad():
        found = theirs(**batch).logits
        expected = ours(src_tokens=tokens, **kwargs)
    expected = expected if kind == "tagger" else expected[0]
    if kind != "classifier":
        found, expected = found[kept], expected[kept]
    assert found.shape == expected.shape and expected.std() > 0.1
    assert (found - expected).abs().max() <= 1e-5
