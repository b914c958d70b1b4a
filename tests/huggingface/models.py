"""Small models with random weights, their commands, and texts for them."""

import random
import re
import shutil
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from fairseq.data import Dictionary

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
