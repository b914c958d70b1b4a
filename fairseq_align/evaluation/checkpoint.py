"""A trained checkpoint with its task on some data, in evaluation mode."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from omegaconf import DictConfig

from fairseq_align.embeddings import characters
from fairseq_align.embeddings.characters import Characters
from fairseq_align.errors import InputError
from fairseq_align.files import checksum
from fairseq_align.text import subword
from fairseq_align.training import fingerprint
from fairseq_align.training.fingerprint import Fingerprints

BATCH_TOKENS = 8192


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model on the data that it is scored on; see ``load``.

    Attributes:
        path: the file.
        data: folder of binarized data with dict.txt.
        model: in evaluation mode.
        cfg: settings of the training.
        task: the task of the training, on ``data``.
        made_of: fingerprints of the training; empty for a checkpoint that has none.
        characters: vectors of character n-grams that the training added to those of words; None: it did not.
    """

    path: Path
    data: Path
    model: BaseFairseqModel = field(repr=False)
    cfg: DictConfig = field(repr=False)
    task: FairseqTask = field(repr=False)
    made_of: Fingerprints = field(default_factory=dict, repr=False)
    characters: Characters | None = field(default=None, repr=False)

    @property
    def dictionary(self) -> Dictionary:
        return self.task.source_dictionary

    @property
    def sentencepiece(self) -> str | None:
        """Checksum of the SentencePiece model of the data, or else of that of the training; None: none is known."""
        beside = subword.beside(self.data)
        return checksum(beside) if beside else (self.made_of.get("vocabulary") or {}).get("SentencePiece")

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.cfg.common.seed


def load(checkpoint: str | Path, data: str | Path) -> Checkpoint:
    """Load a trained model in evaluation mode, on the GPU if there is one.

    Args:
        checkpoint: file of fairseq-train.
        data: folder of binarized data with the dict.txt of the training.

    Raises:
        InputError: the checkpoint is missing, damaged, or holds anything but tensors and settings, or the data have
            another vocabulary than its training had.
    """
    if not Path(checkpoint).is_file():
        raise InputError(f"{checkpoint}: found no file, expected a checkpoint; train one with fairseq-train")
    try:
        overrides = {"data": str(data)}
        state = checkpoint_utils.load_checkpoint_to_cpu(str(checkpoint), overrides)
        made_of = fingerprint.read(state) or {}
        models, cfg, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)], overrides, state=state)
    except RuntimeError as error:  # the weights are not those of the model
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{checkpoint}: {reason} Expected a checkpoint of fairseq-train for this data; train it again"
        ) from error
    model = models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval()
    try:
        learnt = characters.trained(state.get("criterion"), cfg.criterion, task.source_dictionary, model)
    except InputError as error:
        raise InputError(f"{checkpoint}: {error}") from error
    return Checkpoint(Path(checkpoint), Path(data), model, cfg, task, made_of, learnt)


def batches(checkpoint: Checkpoint, subset: str) -> Iterator[dict]:
    """Batches of a subset in a fixed order, on the device of the model; the subset is loaded at once."""
    task = checkpoint.task
    task.load_dataset(subset)
    iterator = task.get_batch_iterator(
        task.dataset(subset), max_tokens=BATCH_TOKENS, max_positions=task.max_positions()
    )
    samples = iterator.next_epoch_itr(shuffle=False)
    return (utils.move_to_cuda(sample) if checkpoint.device.type == "cuda" else sample for sample in samples)


@torch.no_grad()
def summed(checkpoint: Checkpoint, criterion, subset: str) -> dict[str, float]:
    """The logging outputs of a criterion, summed over a subset."""
    total: dict[str, float] = {}
    for sample in batches(checkpoint, subset):
        _, _, logged = criterion(checkpoint.model, sample)
        for name, value in logged.items():
            total[name] = total.get(name, 0) + float(value)
    return total
