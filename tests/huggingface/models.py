"""Small models with random weights, ours and of transformers, their commands, and texts for them."""

import base64
import io
import json
import random
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from fairseq.data import Dictionary
from sentencepiece import SentencePieceTrainer
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from fairseq_align import cli
from fairseq_align.downstream import nli
from fairseq_align.huggingface import architecture, fairseq_checkpoint
from fairseq_align.huggingface.architecture import Architecture, Model
from fairseq_align.text import vocabulary

safetensors = pytest.importorskip("safetensors.torch", reason="waits for the extra hf: EXTRAS=hf bash install.sh")

tokenizers = pytest.importorskip("tokenizers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")

LANGS = ("en", "fr", "ar", "hi")

TINY = Architecture("masked_lm", 0, layers=2, dim=16, ffn_dim=24, heads=2, positions=40, head_dropout=0.2)

WORDS = ["ba", "ti", "go", "lu", "ne", "sha", "mo", "ki", "ré", "dün"]


def sentences(count: int, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    words = ["".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(60)]
    return [" ".join(rng.choices(words, weights=range(60, 0, -1), k=rng.randint(3, 9))) + " ." for _ in range(count)]


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


def copied(folder: Path, to: Path) -> tuple[Path, dict]:
    """A copy of a model without its weights, and these."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("model.safetensors"))
    return to, safetensors.load_file(folder / "model.safetensors")


def xnli_test(data_dir: Path, lang: str, limit: int | None = None) -> list[str]:
    """Sentences of the test file, each once."""
    (path,) = (data_dir / "xnli").glob(f"xnli-test-{lang}.tsv*")
    pairs = islice(nli.read(path, lang, Counter()), limit)
    return list(dict.fromkeys(text for pair in pairs for text in (pair.premise, pair.hypothesis)))


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def refused(capsys, tmp_path: Path, command: list, message: str) -> None:
    """A command says one line, ends with status 1, and leaves nothing."""
    before = sorted(tmp_path.rglob("*"))
    assert cli.main([str(word) for word in command]) == 1
    shown = capsys.readouterr().err.strip().splitlines()
    assert len(shown) == 1 and re.search(f"^error: .*{message}", shown[0]), shown
    assert sorted(tmp_path.rglob("*")) == before


# all of Python's white space but what separates symbols in dict.txt, and what is as odd without being white space
ODD_PIECES = [chr(code) for code in range(0x3001) if chr(code).isspace() and chr(code) not in " \n\r"]
ODD_PIECES += ["\u00ad", "\u200b", "\u2581\u3000", "a\u0085\u2028b"]
SHADDA_FATHA = "\u0628\u0651\u064e"  # beh with its marks as they are typed; NFC turns them round
ODD_PIECES += ["\u0628", "\u0651", "\u064e", f"\u2581{SHADDA_FATHA}", "\u2581\u0628\u064e\u0651"]


def foreign_pieces(model: bytes, rules: dict[str, str]) -> bytes:
    """A SentencePiece model with ``ODD_PIECES``, and with rules of normalisation that are not those of the library.

    Args:
        rules: texts and what they become.
    """
    lines = ("\t".join(" ".join(f"{ord(char):X}" for char in text) for text in rule) for rule in rules.items())
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        other = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e"]), model_writer=other, vocab_size=10, hard_vocab_limit=False,
            minloglevel=2, normalization_rule_tsv=file.name,
        )  # fmt: skip
    proto = ModelProto.FromString(model)
    for piece in ODD_PIECES:
        proto.pieces.add(piece=piece, score=-9.0)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    compiled = ModelProto.FromString(other.getvalue()).normalizer_spec.precompiled_charsmap
    proto.normalizer_spec.precompiled_charsmap = compiled
    return proto.SerializeToString()


def xlmr_tokenizer(model: bytes) -> dict:
    """tokenizer.json as the hub has it of XLM-R, of a SentencePiece model."""
    proto = ModelProto.FromString(model)
    entries = [[symbol, 0.0] for symbol in ("<s>", "<pad>", "</s>", "<unk>")]
    entries += [[piece.piece, piece.score] for piece in proto.pieces[3:]] + [["<mask>", 0.0]]
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [(0, "<s>"), (1, "<pad>"), (2, "</s>"), (3, "<unk>"), (len(entries) - 1, "<mask>")]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    charsmap = base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode()
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, "content": symbol, **special} for index, symbol in added],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]},
        "post_processor": None,
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": entries, "byte_fallback": False},
    }


def of_transformers(folder: Path, model_class: str, model: bytes, tokenizer: str, dtype: str = "float32", **settings):
    """A model of transformers with random weights, all of them so large that an error in any shows, in a folder.

    Args:
        model: SentencePiece model, serialised.
        tokenizer: file to write, of ``tokenizer.json`` and SentencePiece's.
        settings: of config.json, besides sizes.
    """
    transformers = pytest.importorskip("transformers", reason="waits for the extra hf: EXTRAS=hf bash install.sh")
    torch.manual_seed(1)
    built = getattr(transformers, model_class)
    rows = len(ModelProto.FromString(model).pieces) + 2
    sizes = {"vocab_size": rows, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 24, "max_position_embeddings": 40}
    theirs = built(built.config_class(**sizes | settings))
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0, 0.3)
    theirs.to(getattr(torch, dtype)).save_pretrained(folder)
    document = json.dumps(xlmr_tokenizer(model), ensure_ascii=False).encode()
    (folder / tokenizer).write_bytes(document if tokenizer == "tokenizer.json" else model)
    return built.from_pretrained(folder, dtype=torch.float32).eval()
