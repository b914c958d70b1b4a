"""Resuming in the middle of an epoch with another number of ranks (GPUs).

fairseq deals the batches of an epoch to the ranks in turn and saves how many *each of them* has seen. Another number of
ranks would go on at the wrong batch: here a checkpoint also says how many ranks there were, and training goes on after
the same number of batches of all ranks together.
"""

import logging
from collections.abc import Callable

from fairseq.data.iterators import EpochBatchIterator

logger = logging.getLogger(__name__)

SHARDS = "num_shards"


def state_dict(save: Callable[..., dict], iterator: EpochBatchIterator) -> dict:
    """``EpochBatchIterator.state_dict`` with the number of ranks that its position holds for."""
    return {**save(iterator), SHARDS: iterator.num_shards}


def load_state_dict(load: Callable, iterator: EpochBatchIterator, state: dict) -> None:
    """``EpochBatchIterator.load_state_dict`` from the state of any number of ranks."""
    load(iterator, placed(state, iterator.num_shards))


def placed(state: dict, num_shards: int) -> dict:
    """The state of an iterator for another number of ranks: 6 batches on each of 2 are 3 on each of 4."""
    before = state.get(SHARDS, num_shards)
    if before == num_shards:
        return state
    seen = state["iterations_in_epoch"] * before
    each, rest = divmod(seen, num_shards)
    logger.info("epoch %d goes on after %d batches, with %d ranks, not %d", state["epoch"], seen, num_shards, before)
    if rest:
        logger.warning("the last %d batches are shown again: %d ranks cannot share %d", rest, num_shards, seen)
    return {**state, "iterations_in_epoch": each}
