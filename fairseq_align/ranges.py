"""Numbers that users give: the range of each flag stands beside its default, is checked here and shown in its help.

A flag of ``fairseq-train`` is a field of a dataclass; ``number`` makes one that carries its range, and ``check``
holds the settings of a task, a criterion or an optimizer against the ranges of its dataclass.
``tests/test_ranges.py`` finds a number without a range.
"""

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

    def __str__(self) -> str:
        shown = f"at least {self.low}" if self.high in (math.inf, MOST) else f"from {self.low} to {self.high}"
        return f"0, or {shown}" if self.or_zero else shown


COUNT = Range(0, MOST)
SHARE = Range(0, 1)
LENGTH = Range(2, 1_000_000)  # of an item: <s> and a token


def number(default: float, allowed: Range, about: str):
    """A field of a dataclass of flags whose help ends with its range.

    Args:
        about: the help, without the range.
    """
    return field(default=default, metadata={"help": f"{about}; {allowed}", RANGE: allowed})


def check(flags: type, settings: Mapping) -> None:
    """Hold settings against the ranges of their dataclass.

    Args:
        flags: a dataclass with fields made by ``number``.
        settings: values by the names of the fields; others may be there.

    Raises:
        InputError: one of them is out of its range; the message names its flag.
    """
    for one in fields(flags):
        allowed = one.metadata.get(RANGE)
        if allowed and settings[one.name] not in allowed:
            flag = "--" + one.name.replace("_", "-")
            raise InputError(f"found {flag} {settings[one.name]}, expected a number {allowed}")
