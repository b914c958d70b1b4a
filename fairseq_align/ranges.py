"""Numbers that users give: the range of each flag stands beside its default, is checked here and shown in its help.

A flag of ``fairseq-train`` is a field of a dataclass; ``number`` makes one that carries its range, and ``check``
holds the settings of a task, a criterion or an optimizer against the ranges of its dataclass. The flags of commands are
in ``FLAGS``, which ``add_to_help`` and ``check_arguments`` read.
``tests/test_ranges.py`` finds a number without a range.
"""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from fairseq_align.errors import InputError

RANGE = "range"  # key of the metadata of a field
MOST = 2**31 - 1  # of a count


@dataclass(frozen=True)
class Range:
    """Finite numbers from ``low`` to ``high``, both included.

    Attributes:
        or_zero: 0 is allowed besides, and means something else than a small number.

    Example:
        >>> print(Range(0, 1))
        from 0 to 1
        >>> 15 in Range(0, 1), float("nan") in Range(0), 0 in Range(0.01, 1, or_zero=True)
        (False, False, True)
    """

    low: float
    high: float = math.inf
    or_zero: bool = False

    def __contains__(self, number: float) -> bool:
        return (self.low <= number <= self.high and number != math.inf) or (self.or_zero and number == 0)

    @property
    def has_end(self) -> bool:
        """Whether users need to know ``high``."""
        return self.high not in (math.inf, MOST)

    def __str__(self) -> str:
        shown = f"from {self.low} to {self.high}" if self.has_end else f"at least {self.low}"
        return f"0, or {shown}" if self.or_zero else shown

    @property
    def expected(self) -> str:
        """The range in a message: ``a number from 0 to 1``."""
        shown = f"a number from {self.low} to {self.high}" if self.has_end else f"a number of at least {self.low}"
        return f"0, or {shown}" if self.or_zero else shown


COUNT = Range(0, MOST)
SHARE = Range(0, 1)
LENGTH = Range(2, 1_000_000)  # of an item: <s> and a token
FLAGS = {  # of the commands of fairseq-align: a name means the same in all of them
    "--align-pairs": COUNT,
    "--align-temperature": Range(0.001, 1000),
    "--anchor-weight": Range(0, 1_000_000),
    "--block": Range(1, MOST),
    "--character-coverage": Range(0.98, 1),  # SentencePiece's own
    "--frequency-power": SHARE,
    "--heldout-rate": SHARE,
    "--input-sentences": COUNT,
    "--isomorphism": COUNT,
    "--keep": Range(0, 1000),
    "--l2": Range(1e-6, 1e6),
    "--layer": COUNT,
    "--lexicon-rate": SHARE,
    "--lr": Range(1e-6, 10),
    "--max-tokens": Range(5, 1_000_000),  # of a pair: <s>, two </s> between, </s>, and a token
    "--max-words": COUNT,
    "--min-score": Range(0, 4),  # CSLS lies between -4 and 4
    "--min-words": COUNT,
    "--minimum": COUNT,
    "--overlap": SHARE,
    "--pairs": Range(2, 1000),
    "--rate": SHARE,
    "--seed": COUNT,
    "--test": COUNT,
    "--top": COUNT,
    "--updates": COUNT,
    "--valid": COUNT,
    "--vocab-size": Range(4, 10_000_000),  # <unk>, <s>, </s> and a piece
    "--words": Range(1, MOST),
    "--workers": Range(1, 1000),
}


def number(default: float, allowed: Range, about: str):
    """A field of a dataclass of flags whose help ends with its range.

    Args:
        about: the help, without the range.
    """
    return field(default=default, metadata={"help": f"{about}; {allowed}", RANGE: allowed})


def check(flags: type, settings: object) -> None:
    """Hold settings against the ranges of their dataclass.

    Args:
        flags: a dataclass with fields made by ``number``.
        settings: values by the names of the fields, in a mapping or as attributes; others may be there.

    Raises:
        InputError: one of them is out of its range; the message names its flag.
    """
    for one in fields(flags):
        allowed = one.metadata.get(RANGE)
        if not allowed:
            continue
        value = settings[one.name] if isinstance(settings, Mapping) else getattr(settings, one.name)
        if value not in allowed:
            raise InputError(f"found --{one.name.replace('_', '-')} {value}, expected {allowed.expected}")


def add_to_help(parser: argparse.ArgumentParser) -> None:
    """End the help of every number of a command, and of its own commands, with its range in ``FLAGS``."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                add_to_help(command)
        elif action.type in (int, float):
            allowed = FLAGS[action.option_strings[-1]]
            action.help = f"{action.help}; {allowed}"


def check_arguments(args: argparse.Namespace) -> None:
    """Hold the arguments of a command against ``FLAGS``.

    Raises:
        InputError: one of them is out of its range.
    """
    for flag, allowed in FLAGS.items():
        value = getattr(args, flag.removeprefix("--").replace("-", "_"), None)
        if isinstance(value, int | float) and value not in allowed:
            raise InputError(f"{flag}: found {value:g}, expected {allowed.expected}")
