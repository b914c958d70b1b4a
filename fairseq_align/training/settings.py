"""What the settings of a checkpoint may be: plain values, and names of what is known to do no harm with them."""

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fairseq.models import ARCH_MODEL_NAME_REGISTRY, ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_REGISTRY
from omegaconf import DictConfig, OmegaConf

from fairseq_align.errors import InputError
from fairseq_align.training import literals

UNCHECKED = "FAIRSEQ_ALIGN_UNCHECKED"  # names, separated by commas, that a checkpoint may have besides those of LISTED
VALUES = 100_000  # in the settings of one checkpoint; an honest one has less than a thousand
# What of fairseq a checkpoint may name: group of the settings -> names. Each of these was read: it starts no command,
# builds nothing else that its settings name, and evaluates nothing.
LISTED = {
    "model": {"roberta", "roberta_tagger"},
    "task": {"align_mlm", "sequence_tagging", "sentence_classification", "masked_lm", "multilingual_masked_lm"}
    | {"sentence_prediction", "sentence_ranking"},
    "criterion": {"align_mlm", "sequence_tagging", "masked_lm", "sentence_prediction", "sentence_ranking"}
    | {"cross_entropy"},
    "optimizer": {"adam", "adamw", "adafactor", "adagrad", "adadelta", "adamax", "nag", "sgd"},
    "lr_scheduler": {"cosine", "fixed", "inverse_sqrt", "manual", "pass_through", "polynomial_decay"}
    | {"reduce_lr_on_plateau", "step", "tri_stage", "triangular"},
    "bpe": {"bytes", "characters", "gpt2", "sentencepiece"},
    "tokenizer": {"space"},
    "scoring": {"bleu", "sacrebleu"},
}
# but for these, which are read as literals when the file is, and so refused with its name
EVALUATED = ("adam_betas", "adamax_betas", "adafactor_eps")

_chosen: ContextVar[frozenset[tuple[str, str]]] = ContextVar("names that the command itself has chosen")


def check(state: dict) -> None:
    """Put plain copies in place of the settings of a checkpoint, before anything is made of them.

    Args:
        state: what torch has read; ``cfg`` and ``args`` hold the settings.

    Raises:
        InputError: a setting is no plain value, would be resolved or evaluated to something else than it is, or names a
            model, task, criterion or the like that is not in ``LISTED``; the message has no path.
    """
    count = iter(range(VALUES))
    for key, kinds in (("cfg", (dict, DictConfig)), ("args", (Namespace,))):
        settings = state.get(key)
        if settings is None:
            continue
        if not isinstance(settings, kinds):
            raise InputError(_found(f"settings in a {type(settings).__name__}", f"a {kinds[0].__name__}"))
        state[key] = _copy(settings, count, literals.DEPTH)
        groups = state[key] if key == "cfg" else _groups(state[key])
        for group in LISTED:
            for name in _names(group, groups.get(group)):
                _check_name(group, name)


def _found(what: str, expected: str) -> str:
    return f"found {what}, expected {expected}; it was not used, take a checkpoint of fairseq-train"


def _copy(value: object, count: Iterator[int], depth: int) -> object:
    """A copy of settings, made of plain values alone."""
    if depth < 0 or next(count, None) is None:
        raise InputError(_found("settings in too many others", f"{VALUES} values at most, {literals.DEPTH} deep"))
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value, resolve=False)
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str:
        if "${" in value:
            raise InputError(_found(f"the setting {value!r:.80}", "no reference to other settings"))
        if not literals.within_bounds(value):
            raise literals.refusal(value)
        return value
    if type(value) in (list, tuple):
        return type(value)(_copy(item, count, depth - 1) for item in value)
    if isinstance(value, dict | Namespace):
        copied = {}
        for key, item in (value if isinstance(value, dict) else vars(value)).items():
            if type(key) not in (str, int):
                raise InputError(_found(f"the name {key!r:.80} of a setting", "a string"))
            copied[_copy(key, count, depth - 1)] = _copy(item, count, depth - 1)
            if key in EVALUATED and isinstance(item, str):
                literals.read(item)
        return copied if isinstance(value, dict) else Namespace(**copied)
    raise InputError(_found(f"a setting of type {type(value).__name__}", "numbers, strings and containers of them"))


def _groups(args: Namespace) -> dict[str, object]:
    """Settings of before fairseq's dataclasses by group; without a task, fairseq takes ``translation``."""
    return {"task": "translation", **vars(args), "model": vars(args).get("arch")}


def _names(group: str, settings: object) -> list[object]:
    """All that fairseq may take for the name of a group of settings: it looks at one after the other."""
    if OmegaConf.is_config(settings):
        settings = OmegaConf.to_container(settings)
    elif isinstance(settings, Namespace):
        settings = vars(settings)
    if not isinstance(settings, dict):
        return [] if settings is None else [settings]
    found = [settings.get(key) for key in ("_name", "arch" if group == "model" else group)]
    if group == "model" and not any(found):
        found = list(settings)[:1]  # settings in a folder that is named after the model
    return [name for name in found if name is not None]


def _check_name(group: str, name: object) -> None:
    """Raises ``InputError`` unless a checkpoint may name this."""
    if type(name) is not str:
        raise InputError(_found(f"a {group} with the name {name!r:.80}", "a string"))
    if group == "model":
        found = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
        listed = ARCH_MODEL_NAME_REGISTRY.get(name, name) in LISTED[group]
    else:
        found = (TASK_REGISTRY if group == "task" else REGISTRIES[group]["registry"]).get(name)
        listed = name in LISTED[group]
    loaded = found is not None and found.__module__.partition(".")[0] != "fairseq"  # by whoever runs this
    unchecked = os.environ.get(UNCHECKED, "").split(",")
    if listed or loaded or (group, name) in _chosen.get(frozenset()) or name in unchecked:
        return
    raise InputError(
        f"found the {group} {name!r:.80}, expected {', '.join(sorted(LISTED[group]))} or one of a plugin; nobody has "
        f"checked what it does with settings of a stranger: set {UNCHECKED}={name:.80} if you trust who made the file"
    )


@contextmanager
def chosen_by(cfg: DictConfig) -> Iterator[None]:
    """Within this, a checkpoint may name what a command has chosen itself: training builds from its own flags."""
    names = {(group, name) for group in LISTED for name in _names(group, cfg.get(group)) if isinstance(name, str)}
    token = _chosen.set(frozenset(names))
    try:
        yield
    finally:
        _chosen.reset(token)
