"""The place in an epoch, for any number of ranks.

fairseq deals the batches of an epoch to the ranks in turn and saves how many *each of them* has seen. Another number of
ranks would go on at the wrong batch: here a checkpoint also says how many ranks there were, and the place is the
same number of batches of all of them together.
"""

import functools
import logging

from fairseq.data.iterators import EpochBatchIterator

logger = logging.getLogger(__name__)

SHARDS = "num_shards"


def remember() -> None:
    """Make fairseq's iterators save their number of ranks and find their place again with another one."""
    save, load = EpochBatchIterator.state_dict, EpochBatchIterator.load_state_dict

    @functools.wraps(save)
    def state_dict(iterator):
        return {**save(iterator), SHARDS: iterator.num_shards}

    @functools.wraps(load)
    def load_state_dict(iterator, state):
        load(iterator, placed(state, iterator.num_shards))

    EpochBatchIterator.state_dict = state_dict
    EpochBatchIterator.load_state_dict = load_state_dict


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
