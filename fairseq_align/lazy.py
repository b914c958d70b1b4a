"""NumPy, imported when it is first used: it takes longer than all else that help and a missing file need.

``from fairseq_align.lazy import np`` in a module whose annotations are not evaluated (``from __future__ import
annotations``).
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class LazyModule(ModuleType):
    """A module that is imported when the first of its attributes is asked for; from then on it costs nothing.

    Example:
        >>> LazyModule("colorsys").rgb_to_hsv(1.0, 0.0, 0.0)
        (0.0, 1.0, 1.0)
    """

    def __getattr__(self, attribute: str) -> Any:
        module = import_module(self.__name__)
        value = getattr(module, attribute)  # some attributes are made when they are asked for
        self.__dict__.update(vars(module))
        return value


if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")
