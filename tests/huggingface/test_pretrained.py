"""Models read in every form of their files; refusals."""

import json
import re
import shutil
import tarfile
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from fairseq_align.errors import InputError
from fairseq_align.huggingface import fairseq_checkpoint
from fairseq_align.text import vocabulary
from tests.huggingface.models import (
    TINY,
    Evil,
    copied,
    imported,
    refused,
    safetensors,
    same_tensors,
    save,
)


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


def test_the_archive_of_xlmr_is_read(spm, tmp_path):
    state = torch.load(save(tmp_path / "ours", TINY, vocabulary.load(spm / "dict.txt")), weights_only=True)
    old_layout(state, tmp_path / "xlmr.base", spm)
    with tarfile.open(tmp_path / "xlmr.base.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "xlmr.base", "xlmr.base")
    for source in ("xlmr.base", "xlmr.base.tar.gz"):
        after = imported(tmp_path / source, tmp_path / f"{source}.out")
        assert same_tensors(dict(after["model"]), dict(state["model"]))
        assert (tmp_path / f"{source}.out" / "dict.txt").read_bytes() == (spm / "dict.txt").read_bytes()


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
    "other model": (
        change_json("config.json", model_type="gpt2"),
        "found model_type 'gpt2', expected 'xlm-roberta' or 'bert'",
    ),
    "other names": (
        change_json("config.json", model_type="bert"),
        "found no bert.embeddings.word_embeddings.weight, expected weights of bert",
    ),
    "epsilon": (change_json("config.json", layer_norm_eps=0.5), r"found layer_norm_eps 0.5, expected 1e-05.* by \d+"),
    "no epsilon": (change_json("config.json", layer_norm_eps="small"), "found layer_norm_eps 'small', expected 1e-05"),
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
    "multiple choice": (
        change_json("config.json", architectures=["XLMRobertaForMultipleChoice"]),
        r"found architectures \['XLMRobertaForMultipleChoice'\], expected one of XLMRobertaForMaskedLM, ",
    ),
    "a head that is not there": (
        change_json("config.json", architectures=["XLMRobertaForTokenClassification"]),
        "found no head of XLMRobertaForTokenClassification, expected its tensors",
    ),
    "layers without end": (change_json("config.json", num_hidden_layers=10**9), "found no tensor .*layer.2"),
    "negative row": (
        change_json("tokenizer.json", added_tokens=[{"id": 61, "content": "<mask>"}, {"id": -1, "content": "<x>"}]),
        "tokenizer.json: found the added token '<x>' with the id -1, expected text and one id from 0 on",
    ),
    "rules of normalisation": (
        change_json("tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAQAAA=="}),
        "tokenizer.json: found damaged rules of normalisation",
    ),
    "shard outside": (
        lambda folder: (
            (folder / "model.safetensors").rename(folder / "x"),
            (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x"}}'),
        ),
        "index.json: found no shards in this folder",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_with_an_import_is_one_line(case, plain, tmp_path, capsys):
    change, message = REFUSED[case]
    shutil.copytree(plain, tmp_path / "model")
    change(tmp_path / "model")
    refused(capsys, tmp_path, ["import", tmp_path / "model", tmp_path / "out"], message)


def test_symbols_that_were_added_to_a_slow_tokenizer_keep_their_rows(plain, tmp_path):
    """added_tokens.json of old tokenizers, added_tokens_decoder of newer ones; neither, and the row is left out."""
    expected = imported(plain, tmp_path / "expected")["model"]
    folder, weights = copied(plain, tmp_path / "slow")
    (folder / "tokenizer.json").unlink()
    for name in ("roberta.embeddings.word_embeddings.weight", "lm_head.bias"):
        weights[name] = torch.cat([weights[name], weights[name][7:8] + 1])
    row = len(weights["lm_head.bias"]) - 1
    safetensors.save_file(weights, folder / "model.safetensors")
    settings = {"added_tokens_decoder": {str(row): {"content": "<x>"}, "1": {"content": "<pad>"}}}
    for name, content in {"added_tokens.json": {"<x>": row}, "tokenizer_config.json": settings}.items():
        (folder / "tokenizer_config.json").write_text("{}")
        (folder / name).write_text(json.dumps(content))
        found = imported(folder, tmp_path / name)["model"]
        (folder / name).unlink()
        words = "encoder.sentence_encoder.embed_tokens.weight"
        symbols = vocabulary.load(tmp_path / name / "dict.txt").symbols
        assert symbols[-1] == "<x>" and len(found[words]) == row + 1  # <mask> is the last row
        assert torch.equal(found[words][-2], expected[words][7] + 1)
        assert torch.equal(found[words][-1], expected[words][-1])


def test_an_archive_that_only_torch_can_read_is_refused(tmp_path):
    """What Python's zipfile cannot list has not been looked at: it may be compressed or have a pickle without end."""
    path = tmp_path / "model.pt"
    torch.save({"a": torch.zeros(3)}, path)
    assert fairseq_checkpoint.read_torch(path)["a"].shape == (3,)
    content = bytearray(path.read_bytes())
    entry = b"PK\x01\x02"  # of the archive's directory; six bytes on is the version that is needed to extract it
    for found in re.finditer(entry, bytes(content)):
        content[found.start() + 6] = 99
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["a"].shape == (3,)
    with pytest.raises(InputError, match=r"model.pt: found a damaged file \(.*zip file version 9.9\), expected one"):
        fairseq_checkpoint.read_torch(path)
