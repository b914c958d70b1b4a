"""A progress bar on a terminal: none in a log, none with ``--quiet``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


class Bar:
    """A bar that is made, and tqdm imported, at its first step: a missing file is answered before.

    Args:
        what: beside the bar, e.g. the path that is written.
        unit: of the steps, e.g. ``sentences``.
    """

    def __init__(self, what: str, unit: str):
        self.what, self.unit = what, unit
        self._bar: tqdm | None = None

    def __call__(self, steps: int = 1, what: str | None = None) -> None:
        """Go on by some steps, and say what they belong to if that has changed."""
        if self._bar is None:
            from tqdm import tqdm

            quiet = not logging.getLogger().isEnabledFor(logging.INFO)
            shown = True if quiet else None  # tqdm's None: on a terminal alone
            self._bar = tqdm(desc=what or self.what, unit=f" {self.unit}", unit_scale=True, disable=shown)
        if what is not None:
            self._bar.set_description_str(what, refresh=False)
        self._bar.update(steps)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def progress(what: object, unit: str) -> Iterator[Bar]:
    """Context manager: a ``Bar``, which ends with the block."""
    bar = Bar(str(what), unit)
    try:
        yield bar
    finally:
        bar.close()
