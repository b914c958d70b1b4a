"""A checkpoint whose word embeddings are aligned alone, from any checkpoint of fairseq-train or of ``import``."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from fairseq_align.data import binarized
from fairseq_align.embeddings import orthogonal_start, table_alignment
from fairseq_align.embeddings.alignment_loss import LOSSES
from fairseq_align.embeddings.table_alignment import Settings
from fairseq_align.errors import InputError
from fairseq_align.files import check_free, replacing
from fairseq_align.huggingface.fairseq_checkpoint import read_torch
from fairseq_align.huggingface.history import ALIGNED
from fairseq_align.lexicon import frequency
from fairseq_align.lexicon import words as lexicon_words
from fairseq_align.lexicon.words import Pairs
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
    start_langs: Sequence[str] = (),
) -> Aligned:
    """Write a checkpoint that is the given one but for its word embeddings; it can be trained on, tuned and exported.

    Args:
        checkpoint: of fairseq-train or of ``fairseq-align import``.
        data: folder of binarized data with the dict.txt of the checkpoint.
        out: file to write.
        lexicons: at least one.
        settings: of the steps; with 0 updates there are none.
        start_langs: the source language and, for each lexicon, the other one, folders of the data: before the first
            step the rows that each of these has for itself are turned by an orthogonal map learnt on its lexicon.
            None: the steps begin with the table as it is.

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
    after = _started(before, pairs, Path(data), start_langs) if start_langs else before
    losses: list[float] = []

    def progress(update: int, loss: float) -> None:
        losses.append(loss)
        if update % max(1, settings.updates // 10) == 0:
            logger.info("update %d of %d: loss %.4f", update, settings.updates, loss)

    after = table_alignment.align(after, pairs, settings, progress) if settings.updates else after
    record = _record(checkpoint, lexicons, settings, start_langs)
    with replacing(out) as part:
        torch.save(_with_table(state, table, after.cpu(), record), part)
    moved = (after.float() - before.float()).norm() / before.float().norm()
    changed = int((after != before).any(dim=1).sum())
    return Aligned(Path(out), changed, moved.item(), (losses[0], losses[-1]) if losses else None)


def _started(table: Tensor, lexicons: Sequence[Pairs], data: Path, langs: Sequence[str]) -> Tensor:
    """The table with the own rows of each language turned; a row is turned once, by the first that claims it."""
    source, *others = langs
    if len(others) != len(lexicons):
        raise InputError(
            f"found languages {','.join(others)} for {len(lexicons)} lexicons, expected one for each, in their order"
        )

    def counts(lang: str) -> Tensor:
        return torch.from_numpy(frequency.unigrams(binarized.read(data / lang / "train").tokens, len(table)))

    of_source, turned, free = counts(source), table, torch.ones(len(table), dtype=torch.bool)
    for lang, pairs in zip(others, lexicons, strict=True):
        rows = orthogonal_start.own_rows(counts(lang), of_source, pairs)
        rows = rows[free[rows]]
        free[rows] = False
        logger.info("%s: %d rows of its own are turned to those of %s", lang, len(rows), source)
        map_of = orthogonal_start.mapped(table, pairs.to(table.device), rows.to(table.device))
        turned = turned.index_copy(0, rows.to(table.device), map_of[rows.to(table.device)])
    return turned


def _record(checkpoint, lexicons, settings: Settings, start_langs: Sequence[str]) -> dict:
    """Plain values that say what was done."""
    loss = settings.pair_loss
    named = {name: value for name, value in asdict(settings).items() if name != "pair_loss"}
    named |= {"align_loss": next(name for name, row in LOSSES.items() if type(loss) is row)}
    named |= {"align_temperature": loss.temperature, "lexicon": ":".join(Path(path).name for path in lexicons)}
    return named | {"start": "orthogonal " + ",".join(start_langs) if start_langs else "", "of": Path(checkpoint).name}


def _with_table(state: dict, old: Tensor, new: Tensor, record: dict) -> dict:
    """The state of a checkpoint with another table, which the output layer may share, and without an optimizer's."""
    tensors = dict(state["model"])
    if OUTPUT in tensors and torch.equal(tensors[OUTPUT], old):
        tensors[OUTPUT] = new
    tensors[TABLE] = new
    extra = dict(state.get("extra_state") or {})
    extra[ALIGNED] = [*extra.get(ALIGNED, ()), record]
    kept = {name: value for name, value in state.items() if name != "last_optimizer_state"}
    return kept | {"model": tensors, "extra_state": extra}
