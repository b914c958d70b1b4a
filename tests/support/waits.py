"""Where a step would wait for a GPU: operations whose result the processor needs before it can go on.

Counted on a CPU as well, where nothing waits, by watching what is asked of torch: a number out of a tensor, a shape
that depends on its values (words where a mask is set, distinct words, repeated words).
"""

import traceback
from collections import Counter
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

OPERATIONS = {
    "_local_scalar_dense": "number",
    "nonzero": "shape",
    "masked_select": "shape",
    "_unique2": "shape",
    "unique_dim": "shape",
    "unique_consecutive": "shape",
    "equal": "number",
    "is_nonzero": "number",
}
OURS, FAIRSEQ = "fairseq_align/", "fairseq/"


class Waits(TorchDispatchMode):
    """While it is entered, ``found`` counts the waits by the line of the package that asked, innermost first.

    >>> with Waits() as waits:
    ...     _ = torch.ones(2).sum().item()
    >>> waits.found.total()
    1
    """

    def __init__(self):
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if self._waits(function, args, kwargs or {}):
            self.found[_line()] += 1
        return function(*args, **(kwargs or {}))

    @staticmethod
    def _waits(function, args: tuple, kwargs: dict) -> bool:
        name = function.overloadpacket.__name__
        if name in ("index", "index_put", "index_put_"):
            return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])
        if name == "repeat_interleave":
            return kwargs.get("output_size") is None
        return name in OPERATIONS


def _line() -> str:
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename).as_posix()
        for package in (OURS, FAIRSEQ):
            if package in path:
                return f"{package}{path.rpartition(package)[2]}:{frame.name}:{frame.lineno}"
    return "elsewhere"
