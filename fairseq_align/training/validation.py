"""Validation on every item: fairseq leaves out those beyond a multiple of eight, and all of a set of seven."""

from argparse import ArgumentParser
from collections.abc import Callable

from omegaconf import open_dict

MULTIPLE = (
    "required_batch_size_multiple"  # sizes of batches, of which a rest is dropped; it serves the speed of training
)


def every_item(stock: Callable, trainer, *args, **kwargs):
    """``Trainer.get_valid_iterator`` whose batches have all items."""
    cfg = trainer.cfg.dataset
    multiple = cfg[MULTIPLE]
    with open_dict(cfg):
        cfg[MULTIPLE] = 1
        try:
            return stock(trainer, *args, **kwargs)
        finally:
            cfg[MULTIPLE] = multiple


def every_item_by_default(stock: Callable, *args, **kwargs) -> ArgumentParser:
    """``options.get_validation_parser``: fairseq-validate scores all items unless its flag says otherwise."""
    parser = stock(*args, **kwargs)
    parser.set_defaults(**{MULTIPLE: 1})
    return parser
