"""To Hugging Face and back: weights to the bit, logits; a run from XLM-R to a pipeline; refusals.

Run with transformers 5.23.0 and 4.57.6.
"""

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fairseq_align import cli
from fairseq_align.downstream import tagging
from fairseq_align.evaluation.checkpoint import load
from fairseq_align.huggingface import fairseq_checkpoint
from fairseq_align.huggingface.architecture import HEAD_NAME
from fairseq_align.text import subword, vocabulary
from tests.huggingface.models import (
    KINDS,
    LANGS,
    TINY,
    Evil,
    export,
    imported,
    random_model,
    refused,
    safetensors,
    same_tensors,
    save,
    sentences,
    xnli_test,
)
from tests.support.warm import REPO


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
    ours = load(checkpoint, data).model
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


def test_a_dictionary_may_hold_the_mask(spm, tmp_path):
    """As that of DICT-MLM can, which has the masks of languages behind it; the SentencePiece model is ours."""
    dictionary = vocabulary.load(spm / "dict.txt")
    for symbol in ("<mask>", "<mask:fr>"):
        dictionary.add_symbol(symbol)
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    state = torch.load(checkpoint, weights_only=True)
    model = random_model(replace(TINY, vocabulary=len(dictionary)))
    torch.save(fairseq_checkpoint.to_checkpoint(model, state["cfg"]["task"]["data"]), checkpoint)
    vocabulary.save(dictionary, tmp_path / "ours" / "dict.txt")
    folder = export(checkpoint, tmp_path / "theirs", spm)
    after = imported(folder, tmp_path / "out")["model"]
    assert same_tensors(after, dict(torch.load(checkpoint, weights_only=True)["model"]))
    assert vocabulary.load(tmp_path / "out" / "dict.txt").symbols == dictionary.symbols


TRAIN = ["--user-dir", "fairseq_align", "--cpu", "--num-workers", 0, "--data-buffer-size", 0, "--optimizer", "adam"]
TRAIN += ["--log-format", "json", "--no-epoch-checkpoints", "--disable-validation", "--lr", "2e-3"]


def from_xlmr(size: dict, spm: Path, work: Path, run, updates: int = 50) -> dict:
    """A new XLM-R of transformers -> import -> ``align_mlm`` -> tagger -> export -> pipelines; what these say.

    Args:
        size: of ``XLMRobertaConfig``.
    """
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    torch.manual_seed(1)
    processor = subword.load(spm / "spm.model")
    config = transformers.XLMRobertaConfig(
        vocab_size=len(processor) + 2, type_vocab_size=1, layer_norm_eps=1e-5, **size
    )
    transformers.XLMRobertaForMaskedLM(config).save_pretrained(work / "xlmr")
    shutil.copy(spm / "spm.model", work / "xlmr" / "sentencepiece.bpe.model")
    state = imported(work / "xlmr", work / "imported")
    dictionary = vocabulary.load(work / "imported" / "dict.txt")
    model = fairseq_checkpoint.model_flags(fairseq_checkpoint.from_fairseq("imported", state).architecture)

    texts, data = sentences(300), work / "data"
    words = list(dict.fromkeys(" ".join(texts).split()))
    tagged = [(text.split(), ["B-PER" if word[0] in "bt" else "O" for word in text.split()]) for text in texts]
    labels = vocabulary.of_symbols(("O", "B-PER", "I-PER"))
    for folder in (data, data / "label"):
        folder.mkdir(parents=True)
    vocabulary.save(dictionary, data / "dict.txt")
    vocabulary.save(labels, data / "label" / "dict.txt")
    tagging.binarize(tagged, data / "en" / "train", processor, dictionary, labels)
    pairs = [" ".join(subword.encode_words(processor, [word])[0]) for word in words[:40]]
    lines = (f"{source}\t{target}\n" for source, target in zip(pairs[:20], pairs[20:], strict=True))
    (work / "lexicon.tsv").write_text("".join(lines), encoding="utf-8")
    task = ["--task", "align_mlm", "--criterion", "align_mlm", "--langs", "en", "--lexicon", work / "lexicon.tsv"]
    task += ["--tokens-per-sample", 32, "--batch-size", 8, "--max-update", updates]
    checkpoint = work / "aligned" / "checkpoint_last.pt"
    train = ["fairseq-train", data, *TRAIN, *model]
    done = run([*train, *task, "--restore-file", work / "imported" / "model.pt", "--save-dir", checkpoint.parent])
    task = ["--task", "sequence_tagging", "--criterion", "sequence_tagging", "--lang", "en", "--batch-size", 16]
    tagger = [*model, "--arch", "roberta_tagger", "--finetune-from-model", checkpoint, "--save-dir", work / "tagger"]
    run(["fairseq-train", data, *TRAIN, *task, *tagger, "--max-update", updates])

    export(checkpoint, work / "masked_lm", spm)
    export(work / "tagger" / "checkpoint_last.pt", work / "ner", spm)
    fill = transformers.pipeline("fill-mask", model=str(work / "masked_lm"))
    ner = transformers.pipeline("token-classification", model=str(work / "ner"), aggregation_strategy="first")
    text = max(texts, key=lambda text: text.count(" b") + text.count(" t"))
    return {
        "log": done.stdout + done.stderr,
        "text": text,
        "filled": fill(f"{text.split()[0]} <mask> ."),
        "entities": ner(text),
        "loaded": transformers.AutoModelForMaskedLM.from_pretrained(work / "masked_lm").config,
        "before": state["model"],
        "after": torch.load(checkpoint, weights_only=True)["model"],
    }


def test_from_xlmr_to_a_pipeline_of_transformers(spm, tmp_path, run):
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    found = from_xlmr(size | {"max_position_embeddings": 66}, spm, tmp_path, run)
    assert '"train_num_updates": "50"' in found["log"]
    assert found["before"].keys() == found["after"].keys() and not same_tensors(found["before"], found["after"])
    assert len(found["filled"]) == 5 and 0 < found["filled"][0]["score"] < 1
    assert all(token["sequence"].startswith(found["text"].split()[0]) for token in found["filled"])
    assert (found["loaded"].max_position_embeddings, found["loaded"].tie_word_embeddings) == (66, True)
    # it has learnt whose names begin with b or t, and the pieces of a word come back as one
    names = [word for word in found["text"].split() if word[0] in "bt"]
    assert len(names) > 2 and [entity["word"].strip() for entity in found["entities"]] == names
    assert {entity["entity_group"] for entity in found["entities"]} == {"PER"}


def test_what_is_there_is_not_overwritten(plain, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes").write_text("mine")
    refused(capsys, tmp_path, ["import", plain, tmp_path / "out"], "out: found something there, expected a new folder")
    refused(capsys, tmp_path, ["import", tmp_path / "no" / "such" / "one", tmp_path / "new"], "found nothing there")


def test_a_script_converts_in_a_process_that_has_not_imported_fairseq(spm, tmp_path):
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    script = (
        "import fairseq_align as fa, sys; folder = sys.argv[1]; "
        "print(fa.export(f'{folder}/ours/model.pt', f'{folder}/theirs', sys.argv[2]).model_class); "
        "print(fa.import_model(f'{folder}/theirs', f'{folder}/back').task)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(spm / "spm.model")]
    done = subprocess.run(command, cwd=REPO, env=os.environ | {"PYTHONPATH": str(REPO)}, capture_output=True, text=True)
    assert done.stdout.split() == ["XLMRobertaForMaskedLM", "align_mlm"], done.stderr
    states = [torch.load(path, weights_only=True)["model"] for path in (checkpoint, tmp_path / "back" / "model.pt")]
    assert same_tensors(*map(dict, states))


SETTINGS = {
    "encoder_normalize_before": True,
    "layernorm_embedding": False,
    "quant_noise_pq": 0.1,
    "activation_fn": "relu",
    "pooler_activation_fn": "relu",
}


def test_what_hugging_face_cannot_express_is_not_exported(spm, tmp_path, capsys):
    dictionary = vocabulary.load(spm / "dict.txt")
    checkpoint = save(tmp_path / "ours", TINY, dictionary)
    state = torch.load(checkpoint, weights_only=True)
    command = ["export", checkpoint, tmp_path / "out", "--model", spm / "spm.model"]
    for name, value in SETTINGS.items():
        changed = Namespace(**vars(state["cfg"]["model"]) | {name: value})
        torch.save(state | {"cfg": state["cfg"] | {"model": changed}}, checkpoint)
        refused(capsys, tmp_path, command, f"model.pt: found {name.removesuffix('_fn')}.* {value!r}".replace("'", ".?"))
    torch.save(state | {"model": {"decoder.embed_tokens.weight": torch.zeros(3, 4)}}, checkpoint)
    refused(capsys, tmp_path, command, "found no embeddings of a RoBERTa encoder")
    torch.save({"weights": torch.zeros(1)}, checkpoint)
    refused(capsys, tmp_path, command, "found no model with its settings")
    torch.save({"model": Evil()}, checkpoint)
    refused(capsys, tmp_path, command, "found a pickle .* expected weights alone")
    torch.save(state, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
    refused(capsys, tmp_path, command, "model.pt: found a .*damaged")
    torch.save(state, checkpoint)
    vocabulary.save(vocabulary.head(dictionary, 20), tmp_path / "ours" / "dict.txt")
    refused(capsys, tmp_path, command, "dict.txt: found 25 symbols with <mask>, expected the 62 of the checkpoint")


@pytest.mark.parametrize("module", ["safetensors.torch", "tokenizers"])
def test_a_missing_extra_is_one_line(module, spm, tmp_path, capsys, monkeypatch):
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    monkeypatch.setitem(sys.modules, module, None)
    command = ["export", checkpoint, tmp_path / "out", "--model", spm / "spm.model"]
    refused(capsys, tmp_path, command, f"{module}: found .* run EXTRAS=hf bash install.sh")


def test_a_head_of_another_name_is_exported(spm, tmp_path):
    """``--classification-head-name mnli``."""
    checkpoint = save(tmp_path / "ours", KINDS["classifier"], vocabulary.load(spm / "dict.txt"))
    expected = export(checkpoint, tmp_path / "expected", spm)
    state = torch.load(checkpoint, weights_only=True)
    state["model"] = {name.replace(f".{HEAD_NAME}.", ".mnli."): tensor for name, tensor in state["model"].items()}
    torch.save(state, checkpoint)
    found = export(checkpoint, tmp_path / "found", spm)
    assert same_tensors(*(safetensors.load_file(folder / "model.safetensors") for folder in (expected, found)))
    state["model"]["classification_heads.other.dense.bias"] = torch.zeros(16)
    torch.save(state, checkpoint)
    assert cli.main(["export", *map(str, (checkpoint, tmp_path / "x", "--model", spm / "spm.model"))]) == 1


def test_a_regression_stays_one(spm, tmp_path):
    """Its one output is no logit of a label, and transformers' pipeline gives it as it is, without a sigmoid."""
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    size = replace(TINY, head="classifier", regression=True)
    checkpoint = save(tmp_path / "ours", size, vocabulary.load(spm / "dict.txt"))
    folder = export(checkpoint, tmp_path / "theirs", spm)
    config = json.loads((folder / "config.json").read_text())
    assert config["problem_type"] == "regression" and config["id2label"] == {"0": "LABEL_0"}
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        logit = model(**tokenizer("bati golu", return_tensors="pt")).logits.item()
    (answer,) = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)("bati golu")
    assert answer["score"] == pytest.approx(logit, abs=1e-5)
    again = imported(folder, tmp_path / "again")
    assert again["cfg"]["task"]["regression_target"] and again["cfg"]["task"]["num_classes"] == 1
    assert not (tmp_path / "again" / "label").exists()
    before = torch.load(checkpoint, weights_only=True)["model"]
    assert all(torch.equal(before[name], again["model"][name]) for name in before if "lm_head" not in name)
