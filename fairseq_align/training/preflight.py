"""Before the first update: what would end a run at its first validation is refused, and what it will do is printed.

fairseq leaves out training items that are longer than the model with a warning, and validates only when an epoch or an
interval is over. Here lengths are compared as soon as the data are there, and where something else than the loss tells
the best checkpoint, one batch is validated first.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakSet

import numpy as np
from fairseq.logging import metrics
from fairseq.tasks import FairseqTask
from fairseq.trainer import Trainer

from fairseq_align.errors import InputError
from fairseq_align.training import literals
from fairseq_align.training.checkpoints import keep_two

logger = logging.getLogger(__name__)

_begun: WeakSet[Trainer] = WeakSet()
_keeps_all: ContextVar[bool] = ContextVar("whether too long items are refused and not left out", default=False)


def lengths(dataset) -> np.ndarray | None:
    """Tokens of each item of a dataset; None where it does not say so in numbers.

    Of items with several sequences, the longest counts.
    """
    sizes = getattr(dataset, "sizes", None)
    if isinstance(sizes, list | tuple) and sizes and all(isinstance(one, np.ndarray) for one in sizes):
        sizes = np.max(sizes, axis=0)
    return sizes if isinstance(sizes, np.ndarray) and sizes.ndim == 1 and len(sizes) else None


def check_lengths(
    batches: Callable,
    task: FairseqTask,
    dataset,
    max_tokens=None,
    max_sentences=None,
    max_positions=None,
    ignore_invalid_inputs=False,
    **settings,
):
    """fairseq's ``FairseqTask.get_batch_iterator``, which refuses in one line the items that no batch can hold.

    Raises:
        InputError: an item is longer than the model or than ``--max-tokens``.
    """
    found = lengths(dataset)
    limits = [one for one in (max_tokens, max_positions) if isinstance(one, int | float)]
    if found is not None and limits and found.max() > min(limits):
        long = int((found > min(limits)).sum())
        items = f"found {long:,} of {len(found):,} items with more than {min(limits):g} tokens, up to {found.max():,}"
        if max_tokens == min(limits):
            raise InputError(f"{items}, expected at most --max-tokens {max_tokens}; raise it, or make shorter items")
        if _keeps_all.get() or not ignore_invalid_inputs:
            raise InputError(
                f"{items}, expected what the model has positions for; --shorten-method truncate cuts them, where the "
                "task has it, --skip-invalid-size-inputs-valid-test leaves them out"
            )
    return batches(task, dataset, max_tokens, max_sentences, max_positions, ignore_invalid_inputs, **settings)


@contextmanager
def _all_kept(kept: bool) -> Iterator[None]:
    token = _keeps_all.set(kept)
    try:
        yield
    finally:
        _keeps_all.reset(token)


def before_first_update(iterate: Callable, trainer: Trainer, *args, **kwargs):
    """fairseq's ``Trainer.get_train_iterator``; the first time, check what can be checked and say what the run will do.

    Raises:
        InputError: see ``check_lengths`` and ``check_metric``.
    """
    check_betas(trainer.cfg.optimizer)
    keep_two(trainer.cfg.checkpoint)
    with _all_kept(not trainer.cfg.dataset.skip_invalid_size_inputs_valid_test):
        epochs = iterate(trainer, *args, **kwargs)
    if trainer not in _begun:
        _begun.add(trainer)
        check_metric(trainer)
        for line in summary(trainer, epochs):
            logger.info("this run: %s", line)
        trainer.reset_dummy_batch(epochs.first_batch)
    return epochs


def check_betas(optimizer) -> None:
    """Refuse decay rates of Adam that are no two numbers from 0 to below 1.

    Args:
        optimizer: settings of fairseq's group ``optimizer``.
    """
    text = getattr(optimizer, "adam_betas", None)
    if text is None:
        return
    try:
        first, second = map(float, literals.read(text) if isinstance(text, str) else text)
    except (TypeError, ValueError):
        first = second = -1.0
    if not (0 <= first < 1 and 0 <= second < 1):
        raise InputError(f"found --adam-betas {text}, expected two numbers from 0 to below 1, e.g. (0.9, 0.98)")


def check_metric(trainer: Trainer) -> None:
    """Validate a batch where the best checkpoint is told by anything but the loss, which everything logs.

    Raises:
        InputError: validation logs nothing of this name.
    """
    wanted = trainer.cfg.checkpoint.best_checkpoint_metric
    if trainer.cfg.dataset.disable_validation or wanted == "loss":
        return
    names = set()
    for subset in trainer.cfg.dataset.valid_subset.split(","):
        batches = trainer.get_valid_iterator(subset)
        first = next(iter(batches.frozen_batches), None)
        if first is None:
            continue
        dataset = batches.dataset
        with metrics.aggregate(new_root=True) as logged:
            trainer.valid_step(dataset.collater([dataset[item] for item in first]))
        names |= logged.get_smoothed_values().keys()
        break
    if names and wanted not in names:
        choice = sorted(name for name in names if not name.startswith("_") and name not in ("wps", "wpb", "bsz"))
        raise InputError(
            f"found --best-checkpoint-metric {wanted}, expected something that validation logs: {', '.join(choice)}"
        )


def summary(trainer: Trainer, epochs) -> Iterator[str]:
    """What a run will do, in a few lines.

    Args:
        epochs: iterator over the training data.
    """
    cfg = trainer.cfg
    dataset = epochs.dataset
    about = getattr(dataset, "summary", None)
    yield from about() if about else [f"{len(dataset):,} items"]
    left_out = len(dataset) - sum(map(len, epochs.frozen_batches)) if trainer.data_parallel_world_size == 1 else 0
    if left_out > 0:
        yield f"{left_out:,} items are left out, longer than the model or --max-tokens"
    about = getattr(trainer.get_criterion(), "summary", None)
    yield from about() if about else []
    parameters = [(one.numel(), one.requires_grad) for one in trainer.model.parameters()]
    total, trained = sum(size for size, _ in parameters), sum(size for size, moves in parameters if moves)
    yield f"{total:,} parameters" + ("" if total == trained else f", {trained:,} of them trained")
    done, frequency = trainer.get_num_updates(), cfg.optimization.update_freq[0]
    an_epoch = math.ceil(len(epochs) / frequency)
    last = cfg.optimization.max_update or (cfg.optimization.max_epoch or 0) * an_epoch
    to_do = f"{max(last - done, 0):,} updates to do, up to {last:,}" if last else "no limit to its updates"
    yield to_do + (f", after {done:,}" if done else "") + f"; an epoch has {an_epoch:,}"
    if cfg.dataset.disable_validation:
        yield "no validation, so no checkpoint_best.pt"
    else:
        wanted, most = cfg.checkpoint.best_checkpoint_metric, cfg.checkpoint.maximize_best_checkpoint_metric
        yield f"the best checkpoint has the {'highest' if most else 'lowest'} {wanted} on {cfg.dataset.valid_subset}"
