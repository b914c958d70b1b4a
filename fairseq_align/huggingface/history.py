"""Where a checkpoint comes from: the model that was imported, what was changed in it, and the trainings since then."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.huggingface import fairseq_checkpoint

logger = logging.getLogger(__name__)

IMPORTED = "imported"  # in the extra state of a checkpoint: what ``record`` gives
ALIGNED = "aligned"  # likewise: what ``fairseq-align align`` has done, one after the other
MOST = 16  # checkpoints of a history that are opened
_LICENSE = re.compile(r"license:\s*[\"']?([\w.+-]+)")
_FOLDERS = re.compile(r"[^\s:,]*/(?=[^\s])")


class History(NamedTuple):
    """What is known of a checkpoint.

    Attributes:
        imported: ``record`` of the import; empty: there was none, or its file is not there any more.
        aligned: what was done to the word embeddings alone, the first first.
        trained: it was trained since it was imported.
        start: name of the file that its training began with, ``--finetune-from-model``; empty: none.
        missing: name of the file where the history breaks off, since it cannot be read any more; empty: none.
    """

    imported: dict = {}
    aligned: tuple[dict, ...] = ()
    trained: bool = True
    start: str = ""
    missing: str = ""


@contextmanager
def collected(name: str) -> Iterator[list[str]]:
    """Context manager: what a logger and those below it say meanwhile, without the folders of paths."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, entry: logging.LogRecord) -> None:
            messages.append(_FOLDERS.sub("", entry.getMessage()))

    logger, handler = logging.getLogger(name), Handler(logging.INFO)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def record(source: str, folder: Path, changes: list[str]) -> dict:
    """What a checkpoint keeps of the model that it was imported from, plain values.

    Args:
        source: as it was given; of a path its name alone is kept.
        folder: where the files of the model are.
        changes: lines that say what was changed in it.
    """
    local = Path(source).exists()
    return {
        "model": Path(source).resolve().name if local else source,
        "license": license_of(folder),
        "changes": list(changes),
    }


def license_of(folder: Path) -> str:
    """Licence that the head of the model's README.md names; empty: none.

    Example:
        >>> _ = Path("README.md").write_text("---\\nlanguage: [en]\\nlicense: mit\\n---\\n# A model\\n")
        >>> license_of(Path("."))
        'mit'
    """
    path = folder / "README.md"
    if not path.is_file():
        return ""
    lines = read_lines(path)
    if next(lines, (0, ""))[1].strip() != "---":
        return ""
    for _, line in lines:
        if line.strip() == "---":
            break
        match = _LICENSE.match(line)
        if match:
            return match[1]
    return ""


def of(checkpoint: str | Path, state: dict) -> History:
    """History of a checkpoint, followed through ``--finetune-from-model`` as far as its files can be read; where one
    cannot, a warning says so.

    Args:
        state: content of the file.
    """
    trained, start, aligned = _updates(state) > 0, _start(state), []
    for _ in range(MOST):
        extra = state.get("extra_state") or {}
        aligned[:0] = extra.get(ALIGNED, ())
        if extra.get(IMPORTED):
            return History(extra[IMPORTED], tuple(aligned), trained, Path(start).name)
        before = _start(state)
        if not before:
            break
        try:
            state = fairseq_checkpoint.read_torch(before)
        except InputError as error:  # it has been removed, or overwritten by something else
            logger.warning("%s; the model card goes back no further and names no base model", error)
            return History({}, tuple(aligned), True, Path(start).name, Path(before).name)
    return History({}, tuple(aligned), True, Path(start).name)


def _updates(state: dict) -> int:
    return int((state.get("optimizer_history") or [{}])[-1].get("num_updates", 0))


def _start(state: dict) -> str:
    """Checkpoint that a training began with; empty: none."""
    cfg = state.get("cfg") or {}
    group = cfg.get("checkpoint") if isinstance(cfg, dict) else None
    value = group.get("finetune_from_model") if isinstance(group, dict) else getattr(group, "finetune_from_model", None)
    return str(value or "")
