"""fairseq's training program in this process."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

PROGRAMS = ("fairseq_cli.train", "__main__", "__mp_main__")  # names of fairseq_cli/train.py in sys.modules


def trainers() -> Iterator[ModuleType]:
    """fairseq's training program, under each name that it has in this process; it may not be imported for this."""
    for module in map(sys.modules.get, PROGRAMS):
        if Path(getattr(module, "__file__", None) or "").parts[-2:] == ("fairseq_cli", "train.py"):
            yield module


def in_command() -> bool:
    """Whether this process is one of fairseq's commands, and not a user's program that imports fairseq."""
    path = Path(getattr(sys.modules["__main__"], "__file__", None) or "")
    return path.parent.name == "fairseq_cli" or path.name.startswith("fairseq-")
