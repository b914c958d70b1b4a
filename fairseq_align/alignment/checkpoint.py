"""A checkpoint whose word embeddings are aligned alone, from any checkpoint of fairseq-train or of ``import``."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from fairseq_align.alignment import rows
from fairseq_align.alignment.start import Start
from fairseq_align.embeddings import table_alignment
from fairseq_align.embeddings.alignment_loss import LOSSES
from fairseq_align.embeddings.table_alignment import Settings
from fairseq_align.errors import InputError
from fairseq_align.files import check_free, replacing
from fairseq_align.huggingface.fairseq_checkpoint import read_torch
from fairseq_align.huggingface.history import ALIGNED
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.text import vocabulary
from fairseq_align.training.parts import TABLE

logger = logging.getLogger(__name__)

OUTPUT = "encoder.lm_head.weight"


@dataclass(frozen=True)
class Aligned:
    """What was written.

    Attributes:
        rows: of the table that have changed.
        drift: length of the change as a share of the length of the table.
        losses: of the first and the last step; None without steps.
    """

    path: Path
    rows: int
    drift: float
    losses: tuple[float, float] | None


def align(
    checkpoint: str | Path,
    data: str | Path,
    out: str | Path,
    lexicons: Sequence[str | Path],
    settings: Settings,
    start: Start | None = None,
) -> Aligned:
    """Write a checkpoint that is the given one but for its word embeddings; it can be trained on, tuned and exported.

    Args:
        checkpoint: of fairseq-train or of ``fairseq-align import``.
        data: folder of binarized data with the dict.txt of the checkpoint.
        out: file to write.
        lexicons: at least one.
        settings: of the steps; with 0 updates there are none.
        start: rows that languages get before the first step; None: the steps begin with the table as it is.

    Raises:
        InputError: ``out`` exists, or a file is missing or unfit.
    """
    check_free(out)
    state = read_torch(checkpoint)
    table = state.get("model", {}).get(TABLE)
    if not isinstance(table, Tensor):
        raise InputError(
            f"{checkpoint}: found no {TABLE}, expected a checkpoint of a RoBERTa encoder; give another file"
        )
    dictionary = vocabulary.load(Path(data) / "dict.txt")
    pairs = [lexicon_words.load(path, dictionary) for path in lexicons]
    dictionary.add_symbol(vocabulary.MASK)
    if len(dictionary) != len(table):
        raise InputError(
            f"{data}/dict.txt: found {len(dictionary)} symbols with <mask>, expected the {len(table)} of the "
            "checkpoint; name the data it was made for"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = table.to(device)
    after = rows.started(before, pairs, Path(data), dictionary, start) if start else before
    losses: list[float] = []

    def progress(update: int, loss: float) -> None:
        losses.append(loss)
        if update % max(1, settings.updates // 10) == 0:
            logger.info("update %d of %d: loss %.4f", update, settings.updates, loss)

    after = table_alignment.align(after, pairs, settings, progress) if settings.updates else after
    record = _record(checkpoint, lexicons, settings, start)
    with replacing(out) as part:
        torch.save(_with_table(state, table, after.cpu(), record), part)
    moved = (after.float() - before.float()).norm() / before.float().norm()
    changed = int((after != before).any(dim=1).sum())
    return Aligned(Path(out), changed, moved.item(), (losses[0], losses[-1]) if losses else None)


def _record(checkpoint, lexicons, settings: Settings, start: Start | None) -> dict:
    """Plain values that say what was done."""
    loss = settings.pair_loss
    named = {name: value for name, value in asdict(settings).items() if name != "pair_loss"}
    named |= {"align_loss": next(name for name, row in LOSSES.items() if type(loss) is row)}
    named |= {"align_temperature": loss.temperature, "lexicon": ":".join(Path(path).name for path in lexicons)}
    return named | {"start": start.name if start else "", "of": Path(checkpoint).name}


def _with_table(state: dict, old: Tensor, new: Tensor, record: dict) -> dict:
    """The state of a checkpoint with another table, which the output layer may share.

    It lacks the state of the optimizer, and what the criterion has learnt beside the old table.
    """
    tensors = dict(state["model"])
    if OUTPUT in tensors and torch.equal(tensors[OUTPUT], old):
        tensors[OUTPUT] = new
    tensors[TABLE] = new
    extra = dict(state.get("extra_state") or {})
    extra[ALIGNED] = [*extra.get(ALIGNED, ()), record]
    kept = {name: value for name, value in state.items() if name != "last_optimizer_state"}
    return kept | {"model": tensors, "extra_state": extra, "criterion": None}
