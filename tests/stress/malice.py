"""Checkpoints that try to run code when they are read: what a stranger may send."""

import argparse
import builtins
import copy
import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path

import torch

MODULE = "attacker"  # importable where the checkpoint is made, and, in the worst case, where it is read


class Call:
    """Unpickles as what ``function(*arguments)`` returns."""

    def __init__(self, function: Callable, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def payloads(marker: Path) -> dict[str, object]:
    """Objects that would write ``marker`` if the pickle that holds them were loaded by Python's own unpickler."""
    touch = f"touch '{marker}'"
    module = types.ModuleType(MODULE)
    exec(f"class Weights:\n    def __setstate__(self, state): open({str(marker)!r}, 'w')", module.__dict__)
    module.Weights.__module__ = MODULE
    sys.modules[MODULE] = module
    weights = module.Weights()
    weights.value = 1
    return {
        "os.system": Call(os.system, touch),
        "eval": Call(builtins.eval, f"open({str(marker)!r}, 'w')"),
        "exec": Call(builtins.exec, f"open({str(marker)!r}, 'w')"),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
        "class of a module": weights,
        "nested reduce": Call(map, os.system, [touch]),
        "torch.load": Call(torch.load, Call(os.system, touch)),
    }


def expression(marker: Path) -> str:
    """Python in a setting, for the models of fairseq that evaluate theirs."""
    return f"open({str(marker)!r}, 'w') and []"


def hidden(state: dict, payload: object) -> dict[str, object]:
    """Checkpoints with the payload in each place that fairseq reads."""
    found = {}
    for place, path in {
        "weights": ("model", "payload"),
        "optimizer": ("last_optimizer_state", "state", 0, "exp_avg"),
        "settings": ("cfg", "task", "data"),
        "meters": ("extra_state", "metrics", "train"),
        "task state": ("task_state", "labels"),
    }.items():
        found[place] = copy.deepcopy(state)
        inner = found[place]
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = payload
    found["arguments"] = {**state, "args": argparse.Namespace(arch="roberta_base", data=payload)}
    found["all"] = payload
    return found


def evaluated(state: dict, marker: Path) -> dict[str, dict]:
    """Checkpoints of plain strings, with settings that fairseq passes to ``eval``."""
    found = {}
    for model, setting in {"fconv_lm": "decoder_layers", "wav2vec2": "conv_feature_layers"}.items():
        found[model] = copy.deepcopy(state)
        vars(found[model]["cfg"]["model"]).update({"_name": model, "arch": model, setting: expression(marker)})
    found["ctc"] = copy.deepcopy(state)
    found["ctc"]["cfg"]["criterion"] = {"_name": "ctc", "wer_args": expression(marker)}
    bytes_too = copy.deepcopy(state)
    bytes_too["cfg"]["model"].decoder_layers = expression(marker).encode()
    return {**found, "bytes": bytes_too}


def files(state: dict, folder: Path, marker: Path) -> list[Path]:
    """Write the files of all attacks."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []

    def add(name: str, write: Callable[[Path], object]) -> None:
        found.append(folder / f"{name.replace(' ', '-')}.pt")
        write(found[-1])

    for name, payload in payloads(marker).items():
        for place, crafted in hidden(state, payload).items():
            add(f"{name} in {place}", lambda path, crafted=crafted: torch.save(crafted, path))
        add(f"{name} raw", lambda path, payload=payload: path.write_bytes(pickle.dumps(payload)))
        crafted = {**state, "task_state": payload}
        add(
            f"{name} legacy",
            lambda path, crafted=crafted: torch.save(crafted, path, _use_new_zipfile_serialization=False),
        )
    for name, crafted in evaluated(state, marker).items():
        add(f"evaluated by {name}", lambda path, crafted=crafted: torch.save(crafted, path))
    add("TorchScript", torch.jit.script(torch.nn.Linear(1, 1)).save)
    return found
