"""Flags of a tiny model that ``fairseq-train`` trains on the toy study, and what its logs and checkpoints say."""

import json
import re
from pathlib import Path

import torch

TARGET = "en-transliterate+invert"
MODEL = [
    "--encoder-layers",
    2,
    "--encoder-embed-dim",
    32,
    "--encoder-ffn-embed-dim",
    64,
    "--encoder-attention-heads",
    2,
]
MODEL += ["--tokens-per-sample", 32, "--max-positions", 32]
OPTIMIZER = ["--optimizer", "adam", "--lr", "5e-3", "--lr-scheduler", "fixed", "--clip-norm", 1]
RUN = ["--cpu", "--log-format", "json", "--log-interval", 1, "--num-workers", 0, "--disable-validation"]
RUN += ["--data-buffer-size", 0]  # no thread reads ahead: fairseq's can abort a process that ends inside an epoch


def state(path: Path) -> dict:
    """A checkpoint of ours, read by torch's safe loader."""
    from fairseq_align.training.checkpoints import register_safe_classes  # imports fairseq, which takes seconds

    register_safe_classes()
    return torch.load(path, weights_only=True)


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Parameters of a checkpoint of ours."""
    return state(path)["model"]


def same(a: Path, b: Path) -> bool:
    """Whether two checkpoints have the same parameters, to the bit."""
    one, other = weights(a), weights(b)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def logged(output: str, name: str) -> list[dict]:
    """JSON records of a progress bar (``train_inner``, ``valid``) in a training log."""
    found = re.findall(rf"\| {name} \| (\{{.*\}})", output)
    return [{key: float(value) for key, value in json.loads(line).items()} for line in found]


def updates(output: str, key: str) -> list[float]:
    """What a training log shows of each update."""
    return [record[key] for record in logged(output, "train_inner")]
