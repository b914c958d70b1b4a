"""To Hugging Face and back: weights to the bit, logits, ids of the tokenizer; a run from XLM-R to a pipeline; refusals.

Run with transformers 5.23.0 and 4.57.6.
"""

import io
import json
import random
import re
import shutil
import sys
import tarfile
from argparse import Namespace
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import sentencepiece
import torch
from fairseq.data import Dictionary
from hypothesis import given
from hypothesis import strategies as st

from fairseq_align import cli
from fairseq_align.downstream import nli
from fairseq_align.downstream import tagging as treebank
from fairseq_align.errors import InputError
from fairseq_align.evaluation import tasks as evaluation
from fairseq_align.files import read_lines
from fairseq_align.huggingface import adapters, architecture, convert, fairseq_checkpoint, model_card, tokenizer
from fairseq_align.huggingface.architecture import HEAD_NAME, Architecture, Model
from fairseq_align.objectives import OBJECTIVES, Objective
from fairseq_align.results import records
from fairseq_align.text import corpus, subword, vocabulary
from fairseq_align.text.encoder import TextEncoder

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
    tensors = {
        name: (torch.randn(shape, generator=generator) * 0.3).to(kind)
        for name, shape in architecture.shapes(size).items()
    }
    return Model(size, tensors)


def save(folder: Path, size: Architecture, dictionary: Dictionary) -> Path:
    """A checkpoint, ``folder/model.pt``, with its data's dict.txt and label/dict.txt beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary.save(dictionary, folder / "dict.txt")
    for name in ("label", "input0"):
        (folder / name).mkdir()
    shutil.copyfile(folder / "dict.txt", folder / "input0" / "dict.txt")
    vocabulary.save(vocabulary.of_symbols(size.labels), folder / "label" / "dict.txt")
    model = random_model(replace(size, vocabulary=len(dictionary) + 1))
    torch.save(fairseq_checkpoint.to_checkpoint(model, str(folder), "en"), folder / "model.pt")
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
            for _, line in islice(read_lines(data_dir / "xnli" / f"xnli-dev-{lang}.tsv{suffix}"), 1, 800, 3):
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
        encode = TextEncoder(processor, dictionary, lang, tokenized=True)
        found = [encoding.ids for encoding in fast.encode_batch(texts)]
        assert found == [[0, *encode(text), 2] for text in texts]
        assert 0 < sum(ids.count(dictionary.unk()) for ids in found) < 0.01 * sum(map(len, found))


ODD = "\u200b\u2581\u0301\u00a0\u00a8\ufb01\u0915\u094d\u0300\u3000\x1c\x07\ufeff\u2126e\u00e9\U0001f600ba ti~\n\t"


@given(st.text(st.sampled_from(ODD) | st.characters(codec="utf-8"), max_size=20))
def test_ids_are_ours_on_any_text(spm, text):
    """But for text that spells a special symbol."""
    dictionary = vocabulary.double(vocabulary.load(spm / "dict.txt"))
    fast = tokenizer.build((spm / "spm.model").read_bytes(), dictionary, "spm.model")
    ours = TextEncoder(subword.load(spm / "spm.model"), dictionary, "en", tokenized=True)(text)
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


def old_layout(state: dict, folder: Path, spm: Path) -> Path:
    """A checkpoint as ``xlmr.base`` of 2019 is: arguments in a Namespace, ``decoder``, one projection in attention."""
    folder.mkdir()
    weights = {}
    for name, tensor in state["model"].items():
        name = name.replace("encoder.", "decoder.", 1).replace("layernorm_embedding", "emb_layer_norm")
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            old = state["model"]
            parts = [old[name.replace("decoder.", "encoder.", 1).replace("q_proj", f"{x}_proj")] for x in "qkv"]
            name, tensor = name.replace(".q_proj.", ".in_proj_"), torch.cat(parts)
        weights[name] = tensor
    args = Namespace(**vars(state["cfg"]["model"]) | {"arch": "roberta_base", "task": "multilingual_masked_lm"})
    history = [{"num_updates": 1500000, "criterion_name": "MaskedLmLoss"}]
    torch.save({"args": args, "model": weights, "optimizer_history": history}, folder / "model.pt")
    shutil.copy(spm / "dict.txt", folder / "dict.txt")
    shutil.copy(spm / "spm.model", folder / "sentencepiece.bpe.model")
    return folder


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


def test_the_archive_of_xlmr_is_read(spm, tmp_path):
    state = torch.load(save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt")), weights_only=True)
    old_layout(state, tmp_path / "xlmr.base", spm)
    with tarfile.open(tmp_path / "xlmr.base.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "xlmr.base", "xlmr.base")
    for source in ("xlmr.base", "xlmr.base.tar.gz"):
        after = imported(tmp_path / source, tmp_path / f"{source}.out")
        assert same_tensors(dict(after["model"]), dict(state["model"]))
        assert (tmp_path / f"{source}.out" / "dict.txt").read_bytes() == (spm / "dict.txt").read_bytes()


@pytest.fixture(scope="module")
def plain(spm, tmp_path_factory) -> Path:
    """A model of Hugging Face as XLM-R is on the hub: no dict.txt, tokenizer.json and SentencePiece's model."""
    work = tmp_path_factory.mktemp("plain")
    folder = export(save(work / "ours", TINY, vocabulary.load(spm / "dict.txt")), work / "theirs", spm)
    (folder / "dict.txt").unlink()
    return folder


def copied(folder: Path, to: Path) -> tuple[Path, dict]:
    """A copy of a model without its weights, and these."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("model.safetensors"))
    return to, safetensors.load_file(folder / "model.safetensors")


def test_every_form_of_the_weights_gives_the_same_checkpoint(plain, tmp_path):
    expected = imported(plain, tmp_path / "expected")["model"]
    folder, weights = copied(plain, tmp_path / "torch")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "tokenizer.json").unlink()
    assert same_tensors(imported(folder, tmp_path / "a")["model"], expected)
    folder, weights = copied(plain, tmp_path / "shards")
    names = sorted(weights)
    index = {name: f"model-{1 + place % 2}.safetensors" for place, name in enumerate(names)}
    for shard in sorted(set(index.values())):
        safetensors.save_file({name: weights[name] for name in names if index[name] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / "sentencepiece.bpe.model").unlink()
    assert same_tensors(imported(folder, tmp_path / "b")["model"], expected)


def test_rows_are_found_by_their_symbols(plain, spm, tmp_path):
    """A token that was added behind ``<mask>``, and rows that only fill up, as in resized embeddings."""
    expected = imported(plain, tmp_path / "expected")["model"]
    folder, weights = copied(plain, tmp_path / "resized")
    for name in ("roberta.embeddings.word_embeddings.weight", "lm_head.bias"):
        more = torch.full((5, *weights[name].shape[1:]), 7.0) * torch.arange(1, 6).view(
            -1, *[1] * (weights[name].dim() - 1)
        )
        weights[name] = torch.cat([weights[name], more])
    safetensors.save_file(weights, folder / "model.safetensors")
    document = json.loads((folder / "tokenizer.json").read_text())
    rows = len(expected["encoder.lm_head.bias"])
    document["added_tokens"].append({"id": rows + 1, "content": "<entity>", "special": False})
    (folder / "tokenizer.json").write_text(json.dumps(document))
    found = imported(folder, tmp_path / "out")["model"]
    dictionary = vocabulary.load(tmp_path / "out" / "dict.txt")
    assert dictionary.symbols == [*vocabulary.load(spm / "dict.txt").symbols, "<entity>"]
    bias = expected["encoder.lm_head.bias"]
    assert found["encoder.lm_head.bias"].tolist() == [*bias[:-1].tolist(), 14.0, bias[-1].item()]
    assert (
        found["encoder.lm_head.weight"].data_ptr() == found["encoder.sentence_encoder.embed_tokens.weight"].data_ptr()
    )


def test_a_model_without_a_head_gets_one_and_segments_go_into_positions(plain, tmp_path):
    expected = imported(plain, tmp_path / "expected")["model"]
    folder, weights = copied(plain, tmp_path / "base")
    weights = {k.removeprefix("roberta."): v for k, v in weights.items() if not k.startswith("lm_head.")}
    weights["pooler.dense.weight"] = torch.ones(TINY.dim, TINY.dim)
    weights["embeddings.token_type_embeddings.weight"] = torch.full((2, TINY.dim), 0.5)
    safetensors.save_file(weights, folder / "model.safetensors")
    found = imported(folder, tmp_path / "out")["model"]
    positions = "encoder.sentence_encoder.embed_positions.weight"
    assert torch.equal(found.pop(positions), expected.pop(positions) + 0.5)
    assert 0.01 < found["encoder.lm_head.dense.weight"].std() < 0.03 and not found["encoder.lm_head.bias"].any()
    kept = [name for name in expected if not name.startswith("encoder.lm_head.")]
    assert all(torch.equal(found[name], expected[name]) for name in kept)


def test_new_pieces_are_used_and_start_as_a_mean(plain, spm, tmp_path):
    processor, dictionary = subword.load(spm / "spm.model"), vocabulary.load(spm / "dict.txt")
    words = [word for word in dict.fromkeys(" ".join(sentences(50)).split()) if len(processor.encode(word)) > 2][:3]
    new = [f"\u2581{word}" for word in words] + ["\u2581\u014b\u014b"]  # the last is of an unknown character
    (tmp_path / "pieces.txt").write_text("\n".join(new) + "\n", encoding="utf-8")
    known = [word for word in " ".join(sentences(50)).split() if word not in words][:2]
    (tmp_path / "words.tsv").write_text(f"{words[0]}\t{known[0]}\n{words[0]}\t{known[1]}\n", encoding="utf-8")
    expected = imported(plain, tmp_path / "expected")["model"]
    flags = ["--extend-vocab", tmp_path / "pieces.txt", "--extend-lexicon", tmp_path / "words.tsv"]
    found = imported(plain, tmp_path / "out", *flags)["model"]
    extended = vocabulary.load(tmp_path / "out" / "dict.txt")
    assert extended.symbols == dictionary.symbols + new
    name = "encoder.sentence_encoder.embed_tokens.weight"
    end = len(dictionary)
    assert torch.equal(found[name][:end], expected[name][:end]) and torch.equal(found[name][-1], expected[name][-1])

    def rows(pieces):
        return [dictionary.index(piece) for piece in pieces]

    def pieces(*words):
        return [piece for word in subword.encode_words(processor, words) for piece in word]

    for place, old in enumerate((pieces(*known), pieces(words[1]), pieces(words[2]), dictionary.symbols[4:])):
        assert torch.allclose(found[name][end + place], expected[name][rows(old)].mean(0), atol=1e-6)
        mean = expected["encoder.lm_head.bias"][rows(old)].mean()
        assert found["encoder.lm_head.bias"][end + place] == pytest.approx(mean.item(), abs=1e-6)
    after = subword.load(tmp_path / "out" / "spm.model")
    assert subword.encode_words(after, words) == [[f"\u2581{word}"] for word in words]
    assert subword.encode_words(after, ["\u014b\u014b"]) == [["\u2581\u014b\u014b"]]
    others = [word for word in " ".join(sentences(50)).split() if not any(piece[1:] in word for piece in new)]
    assert others and subword.encode_words(after, others) == subword.encode_words(processor, others)
    # and the fast tokenizer agrees
    fast = tokenizer.build((tmp_path / "out" / "spm.model").read_bytes(), extended, "spm.model")
    encode = TextEncoder(after, extended, "en", tokenized=True)
    for text in [*sentences(50), " ".join(words)]:
        assert fast.encode(text, add_special_tokens=False).ids == encode(text)


def test_a_longer_new_piece_wins_over_two_shorter_ones(spm):
    """All three save pieces; each scores more by what it saves, so the longest saves the most."""
    model = (spm / "spm.model").read_bytes()
    word = "bagolune"
    new = [f"\u2581{word}", f"\u2581{word[:4]}", word[4:]]
    after = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.extend(model, new, "pieces.txt").model)
    assert subword.encode_words(after, [word, word[:4]]) == [[new[0]], [new[1]]]


def test_the_card_tells_training_and_scores(spm, tmp_path):
    size = replace(TINY, head="tagger", labels=("NOUN", "VERB"))
    checkpoint = save(tmp_path / "ours", size, vocabulary.load(spm / "dict.txt"))
    score = dict.fromkeys(("derivation", "lexicon_rate", "lexicon"))
    score |= {"task": "pos", "metric": "accuracy", "value": 0.61234, "n": 77, "split": "test", "seed": 1}
    score |= {"lang": "fr", "source_lang": "en", "freeze_embeddings": False, "objective": "align_mlm"}
    score |= {"checkpoint": records.checksum(checkpoint), "versions": records.versions(), "date": records.now()}
    for record in (score, score | {"checkpoint": "0" * 12, "value": 0.5}):
        records.append(tmp_path / "results.jsonl", record)
    folder = export(checkpoint, tmp_path / "theirs", spm, "--results", tmp_path / "results.jsonl")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "pos accuracy 61.2 | lang:fr | source_lang:en" in card and "50.0" not in card
    assert f"checksum {vocabulary.checksum(vocabulary.load(spm / 'dict.txt'))}" in card
    assert "| task._name | `sequence_tagging` |" in card and 'pipeline_tag: "token-classification"' in card
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "NOUN", "1": "VERB"}


def test_the_card_has_every_setting_that_differs_from_its_default():
    """Those of fairseq's own groups and of chosen dataclasses, but for what repeats another setting."""
    cfg = {
        "common": {"seed": 3, "fp16": False, "log_interval": 100},
        "distributed_training": {"distributed_world_size": 1, "ddp_backend": "pytorch_ddp"},
        "optimization": {"lr": [0.0001], "update_freq": [1], "stop_time_hours": 0.0, "max_update": 500000},
        "task": {"_name": "align_mlm", "data": "/home/someone/data-bin", "langs": "en,fr", "autocast": "bf16",
                 "seed": 3},
        "criterion": Namespace(
            _name="align_mlm", lexicon="data/en-fr.tsv:data/en-ar.tsv", heldout_lexicon=None, align_weight=1.0,
            align_warmup=1000, align_loss="contrastive", align_temperature=0.05, align_pairs=0, seed=3,
        ),
        "optimizer": {"_name": "adam", "adam_betas": "(0.9, 0.98)", "weight_decay": 0.0, "lr": [0.0001]},
        "lr_scheduler": {"_name": "polynomial_decay", "warmup_updates": 0, "power": 1.0},
        "scoring": {"_name": "bleu"},
        "a_plugin": {"_name": "unknown", "setting": 1},
    }  # fmt: skip
    assert model_card.changed_settings(cfg) == {
        "common.seed": 3,
        "distributed_training.distributed_world_size": 1,
        "optimization.lr": [0.0001],
        "optimization.max_update": 500000,
        "task._name": "align_mlm",
        "task.data": "/home/someone/data-bin",
        "task.langs": "en,fr",
        "task.autocast": "bf16",
        "criterion._name": "align_mlm",
        "criterion.lexicon": "data/en-fr.tsv:data/en-ar.tsv",
        "criterion.align_weight": 1.0,
        "criterion.align_warmup": 1000,
        "criterion.align_loss": "contrastive",
        "criterion.align_temperature": 0.05,
        "optimizer._name": "adam",
        "optimizer.adam_betas": "(0.9, 0.98)",
        "lr_scheduler._name": "polynomial_decay",
    }
    dictionary = vocabulary.of_symbols(["a"])
    card = model_card.card("name", "xlm-roberta", "XLMRobertaForMaskedLM", TINY, cfg, dictionary, "0" * 12, [])
    assert "| criterion.lexicon | `en-fr.tsv:en-ar.tsv` |" in card and "someone" not in card
    assert "- Objective: MLM + ALIGN-MLM, alpha = 1.0" in card


def test_a_new_objective_is_told_by_the_card(monkeypatch):
    row = Objective("code_switch", "CODE-SWITCH", frozenset({"lexicon"}), lambda task, criterion: "switch" in task)
    monkeypatch.setitem(OBJECTIVES, "code_switch", row)
    cfg = {"task": {"_name": "align_mlm", "switch": 0.3}, "criterion": {"align_weight": 0}}
    assert model_card.objective(cfg) == "MLM + CODE-SWITCH"
    assert model_card.objective({"task": {"_name": "sequence_tagging"}}) == "fine-tuning with sequence_tagging"


def test_a_new_architecture_of_transformers_needs_its_row_alone(spm, tmp_path, monkeypatch):
    """One whose names begin otherwise, and whose config.json says so."""
    xlmr = adapters.ADAPTERS["xlm-roberta"]
    row = xlmr._replace(
        classes={"masked_lm": "OtherForMaskedLM"},
        to_config=lambda size: xlmr.to_config(size) | {"model_type": "other"},
        weight_name=lambda name: "other." + xlmr.weight_name(name),
        to_weights=lambda size, tensors: tensors,
        from_config=lambda where, config, tensors: replace(TINY, vocabulary=config["vocab_size"]),
        from_weights=lambda size, tensors: tensors,
    )
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    with pytest.raises(InputError, match="found model_type 'other', expected 'xlm-roberta'"):
        convert.export(checkpoint, tmp_path / "theirs", spm / "spm.model", model_type="other")
    monkeypatch.setitem(adapters.ADAPTERS, "other", row)
    exported = convert.export(checkpoint, tmp_path / "theirs", spm / "spm.model", model_type="other")
    assert exported.model_class == "OtherForMaskedLM" and exported.scores == 0
    names = safetensors.load_file(tmp_path / "theirs" / "model.safetensors")
    assert all(name.startswith("other.") for name in names)
    imported_model = convert.import_model(tmp_path / "theirs", tmp_path / "back", lang="en")
    assert imported_model.task == "align_mlm" and "--encoder-layers" in imported_model.flags
    states = [torch.load(path, weights_only=True)["model"] for path in (checkpoint, tmp_path / "back" / "model.pt")]
    assert same_tensors(*map(dict, states))


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
    treebank.binarize(tagged, data / "en" / "train", processor, dictionary, labels)
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


def break_file(name: str, content: bytes | None):
    def change(folder: Path) -> None:
        if content is None:
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(whole[: len(whole) // 2])
        else:
            (folder / name).write_bytes(content)

    return change


def change_json(name: str, **values):
    def change(folder: Path) -> None:
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))

    return change


def with_tensor(name: str, tensor: torch.Tensor | None):
    def change(folder: Path) -> None:
        weights = safetensors.load_file(folder / "model.safetensors")
        del weights[name]
        safetensors.save_file(weights | ({} if tensor is None else {name: tensor}), folder / "model.safetensors")

    return change


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def with_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"roberta.embeddings.word_embeddings.weight": Evil()}, folder / "pytorch_model.bin")


def without(*names: str):
    return lambda folder: [(folder / name).unlink() for name in names]


REFUSED = {
    "damaged weights": (
        break_file("model.safetensors", None),
        "model.safetensors: found .* expected whole safetensors",
    ),
    "pickle": (with_pickle, "pytorch_model.bin: found a pickle .* expected weights alone"),
    "damaged config": (break_file("config.json", b'{"model_type": '), "config.json: found .* expected a JSON object"),
    "no mapping": (break_file("config.json", b"[1]"), "config.json: found a list, expected a JSON object"),
    "other model": (change_json("config.json", model_type="bert"), "found model_type 'bert', expected 'xlm-roberta'"),
    "epsilon": (change_json("config.json", layer_norm_eps=1e-12), "found layer_norm_eps 1e-12, expected 1e-05"),
    "activation": (change_json("config.json", hidden_act="silu"), "found activation 'silu', expected gelu"),
    "size": (change_json("config.json", hidden_size="many"), "found dim 'many', expected a number"),
    "layers": (
        change_json("config.json", num_hidden_layers=3),
        "found no tensor .*layer.2.* expected it in XLMRoberta",
    ),
    "fewer layers": (change_json("config.json", num_hidden_layers=1), "found tensor .*layer.1.* expected only those"),
    "missing tensor": (with_tensor("lm_head.dense.bias", None), "found no tensor lm_head.dense.bias"),
    "shape": (with_tensor("lm_head.dense.bias", torch.zeros(3)), r"found lm_head.dense.bias of shape \(3,\).* \(16,\)"),
    "no weights": (without("model.safetensors"), "found no weights, expected model.safetensors"),
    "no tokenizer": (
        without("tokenizer.json", "sentencepiece.bpe.model"),
        "found no tokenizer, expected sentencepiece",
    ),
    "damaged pieces": (break_file("sentencepiece.bpe.model", b"none"), "found no SentencePiece model"),
    "no unigram": (change_json("tokenizer.json", model={"type": "BPE", "vocab": {}}), "found no unigram model"),
    "normalizer": (change_json("tokenizer.json", normalizer={"type": "Lowercase"}), "found normalizer Lowercase"),
    "other tokenizer": (
        change_json("tokenizer.json", added_tokens=[{"id": 61, "content": "<mask>"}, {"id": 99, "content": "<x>"}]),
        "found 100 symbols and 62 rows of embeddings",
    ),
    "shard outside": (
        lambda folder: (
            (folder / "model.safetensors").rename(folder / "x"),
            (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x"}}'),
        ),
        "index.json: found no shards in this folder",
    ),
}


def refused(capsys, tmp_path: Path, command: list, message: str) -> None:
    """A command says one line, ends with status 1, and leaves nothing."""
    before = sorted(tmp_path.rglob("*"))
    assert cli.main([str(word) for word in command]) == 1
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1 and re.search(f"^error: .*{message}", shown[0]), shown
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_with_an_import_is_one_line(case, plain, tmp_path, capsys):
    change, message = REFUSED[case]
    shutil.copytree(plain, tmp_path / "model")
    change(tmp_path / "model")
    refused(capsys, tmp_path, ["import", tmp_path / "model", tmp_path / "out"], message)


def test_an_archive_that_leaves_its_folder_is_refused(spm, tmp_path, capsys):
    for name, kind in (("../model.pt", tarfile.REGTYPE), ("/model.pt", tarfile.REGTYPE), ("dict.txt", tarfile.SYMTYPE)):
        with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO())
        refused(capsys, tmp_path, ["import", tmp_path / "x.tar.gz", tmp_path / "out"], "expected plain files inside")
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    refused(capsys, tmp_path, ["import", tmp_path / "x.tar.gz", tmp_path / "out"], "expected a whole archive")


def test_a_name_is_looked_for_on_the_hub(plain, tmp_path, monkeypatch, capsys):
    """Torch weights are fetched only where there are no safetensors; without a network the message is one line."""
    hub = pytest.importorskip("huggingface_hub", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    asked = []

    def snapshot_download(name, allow_patterns, **others):
        asked.append((name, allow_patterns))
        return str(plain)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    imported(Path("owner/xlmr"), tmp_path / "out")
    assert asked == [("owner/xlmr", ["*.json", "*.safetensors", "*.model"])]
    capsys.readouterr()

    def offline(*_, **others):
        raise hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "snapshot_download", offline)
    refused(capsys, tmp_path, ["import", "owner/xlmr", tmp_path / "new"], r"no model of the hub \(no network\)")


def test_what_is_there_is_not_overwritten(plain, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes").write_text("mine")
    refused(capsys, tmp_path, ["import", plain, tmp_path / "out"], "out: found something there, expected a new folder")
    refused(capsys, tmp_path, ["import", tmp_path / "no" / "such" / "one", tmp_path / "new"], "found nothing there")


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


def test_a_new_piece_that_cannot_be_one_is_refused(plain, tmp_path, capsys):
    path = tmp_path / "pieces.txt"
    for text, message in (
        ("\u2581a b", "no white space"),
        ("q\nq", "twice or in the vocabulary"),
        ("<mask>", "special"),
    ):
        path.write_text(text, encoding="utf-8")
        refused(capsys, tmp_path, ["import", plain, tmp_path / "out", "--extend-vocab", path], message)
    refused(capsys, tmp_path, ["import", plain, tmp_path / "out", "--extend-lexicon", path], "found it alone")


@pytest.mark.parametrize("module", ["safetensors.torch", "tokenizers"])
def test_a_missing_extra_is_one_line(module, spm, tmp_path, capsys, monkeypatch):
    checkpoint = save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt"))
    monkeypatch.setitem(sys.modules, module, None)
    command = ["export", checkpoint, tmp_path / "out", "--model", spm / "spm.model"]
    refused(capsys, tmp_path, command, f"{module}: found .* run EXTRAS=hf bash install.sh")
