"""What a run is made of, saved in every checkpoint: checksums of vocabulary, lexicons and data, and settings.

A run that goes on with something else says what has changed, and does so only if ``--allow-changed`` names it. A model
that is scored, exported or fine-tuned has to meet the vocabulary that it was trained with. A checkpoint without
fingerprints, of plain fairseq or from before there were any, is taken as it is, and a line says so.
"""

import hashlib
import logging
import os
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from weakref import WeakKeyDictionary

from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY, FairseqTask
from fairseq.trainer import Trainer
from omegaconf import OmegaConf

from fairseq_align.errors import InputError
from fairseq_align.files import checksum
from fairseq_align.objectives import active
from fairseq_align.text import subword, vocabulary

logger = logging.getLogger(__name__)

Fingerprints = dict[str, dict[str, str]]  # by kind of thing and name

KEY = "made_of"  # in the extra state of a checkpoint
GROUPS = ("vocabulary", "lexicon", "data", "validation", "settings")  # --allow-changed names them
LOGGED = "schedule"  # settings that are meant to change
ABOUT, PRETRAINING = "about", "pretraining"  # what scores say of a run; of the run that a fine-tuned model began as
ALLOW = "FAIRSEQ_ALIGN_ALLOW_CHANGED"  # the flag, for tasks of fairseq's own, which have none
PATHS = "paths"  # key of the metadata of a flag that names lexicons: a function from its value to (label, path)
BLOCK, BLOCKS = 4096, 64  # bytes and number of the samples of a large file

# settings that change what is learnt, besides all of the task, criterion and optimizer
MODEL = ("arch", "encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads")
MODEL += ("max_positions", "activation_fn", "untie_weights_roberta", "dropout", "attention_dropout")
MODEL += ("activation_dropout", "pooler_dropout", "encoder_layerdrop")
OTHERS = {
    "common": ("seed", "fp16", "amp", "memory_efficient_fp16"),
    "dataset": ("train_subset", "batch_size", "max_tokens", "required_batch_size_multiple"),
    "optimization": ("clip_norm", "sentence_avg"),
}
# settings that say again what another one says, or that change nothing that is learnt
LEFT_OUT = ("data", "allow_changed", "seed", "tpu", "fp16", "amp", "find_unused_parameters", "lr", "_name")
LEFT_OUT += ("score_seen",)
SCHEDULE = {"optimization": ("lr", "max_update", "max_epoch", "stop_min_lr"), "checkpoint": ("patience",)}

_of: WeakKeyDictionary[Trainer, Fingerprints] = WeakKeyDictionary()


def flag(name: str) -> str:
    """A setting as users give it.

    >>> flag("mask_prob")
    '--mask-prob'
    """
    return "--" + name.replace("_", "-")


def sampled(path: str | Path) -> str:
    """Checksum of a file's size and of samples of it, which are all of a small file: 12 hexadecimal digits.

    Of a large one ``BLOCKS`` pieces are read, evenly spaced, the first and the last among them.
    """
    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        if size <= BLOCK * BLOCKS:
            digest.update(file.read())
        else:
            for number in range(BLOCKS):
                file.seek((size - BLOCK) * number // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()[:12]


def of(trainer: Trainer) -> Fingerprints:
    """What a run is made of, as it was when this was first asked."""
    if trainer not in _of:
        cfg = OmegaConf.to_container(trainer.cfg, resolve=True, enum_to_str=True)
        _of[trainer] = take(cfg, trainer.task, trainer.data_parallel_world_size)
    return _of[trainer]


def take(cfg: dict, task: FairseqTask, ranks: int) -> Fingerprints:
    """Fingerprints of a run.

    Args:
        cfg: all settings of fairseq, by group.
        task: set up.
        ranks: that train together.
    """
    cfg = {group: _plain(settings) for group, settings in cfg.items()}
    lexicons, settings = _settings(cfg, ranks)
    schedule = {flag(name): str(cfg[group].get(name)) for group, names in SCHEDULE.items() for name in names}
    scheduler = cfg.get("lr_scheduler") or {}
    schedule |= {flag(name): str(value) for name, value in scheduler.items() if name not in LEFT_OUT}
    schedule[flag("lr_scheduler")] = str(scheduler.get("_name"))
    return {
        "vocabulary": of_vocabulary(task, cfg),
        "lexicon": lexicons,
        "data": _data(cfg, task, [cfg["dataset"]["train_subset"]]),
        "validation": _data(cfg, task, _validated(cfg["dataset"])),
        "settings": settings,
        LOGGED: schedule,
        ABOUT: _about(cfg),
    }


def _plain(settings: object) -> dict:
    return vars(settings) if isinstance(settings, Namespace) else settings if isinstance(settings, dict) else {}


def of_vocabulary(task: FairseqTask, cfg: Mapping) -> dict[str, str]:
    """Checksums of dict.txt, and of the SentencePiece model that is beside it or named by a flag; {} if it has none."""
    dictionary = getattr(task, "dictionary", None)
    if not isinstance(dictionary, Dictionary):
        return {}
    found = {"dict.txt": vocabulary.checksum(dictionary)}
    data = (cfg.get("task") or {}).get("data")
    named = (cfg.get("bpe") or {}).get("sentencepiece_model")
    model = named if named and Path(named).is_file() else data and subword.beside(utils.split_paths(str(data))[0])
    return found | ({"SentencePiece": checksum(model)} if model else {})


def _settings(cfg: dict, ranks: int) -> tuple[dict[str, str], dict[str, str]]:
    """Checksums of the lexicons by flag, and the settings that change what is learnt."""
    lexicons, settings = {}, {}
    for group, names in [("model", MODEL), *OTHERS.items()]:
        settings |= {flag(name): str(cfg[group][name]) for name in names if name in cfg[group]}
    frequency = cfg["optimization"]["update_freq"]
    settings["--update-freq times ranks"] = ",".join(f"{number * ranks:g}" for number in frequency)
    for group in ("task", "criterion", "optimizer"):
        values = cfg.get(group) or {}
        paths = {field.name: field.metadata.get(PATHS) for field in _fields(group, values.get("_name"))}
        settings[flag(group)] = str(values.get("_name"))
        for name, value in values.items():
            named = paths[name](value) if value and paths.get(name) else []
            if named:
                lexicons[flag(name)] = ",".join(label + checksum(path) for label, path in named)
            elif name not in LEFT_OUT:
                settings[flag(name)] = str(value)
    return lexicons, settings


def _fields(group: str, name: str | None) -> tuple:
    """Fields of the dataclass of a group of settings; none where it has no dataclass."""
    table = TASK_DATACLASS_REGISTRY if group == "task" else REGISTRIES[group]["dataclass_registry"]
    return fields(table[name]) if table.get(name) else ()


def _data(cfg: dict, task: FairseqTask, subsets: list[str]) -> dict[str, str]:
    """Checksums of the binarized files of some subsets, by name."""
    return {
        f"{name}.{kind}": sampled(f"{prefix}.{kind}")
        for subset in subsets
        for name, prefix in _prefixes(cfg, task, subset)
        for kind in ("idx", "bin")
        if os.path.exists(f"{prefix}.{kind}")
    }


def _validated(dataset: Mapping) -> list[str]:
    """Names of the subsets that a run is validated on; none without validation."""
    return [] if dataset["disable_validation"] else str(dataset["valid_subset"]).split(",")


def _prefixes(cfg: dict, task: FairseqTask, subset: str) -> Iterator[tuple[str, Path]]:
    """Names and paths, without their endings, of the binarized files of a subset."""
    for number, folder in enumerate(utils.split_paths(str(cfg["task"].get("data") or ""))):
        root = Path(folder)
        if hasattr(task, "files_of"):
            names = task.files_of(subset)
        else:
            names = sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob(f"{subset}.idx"))
        for name in names:
            yield f"{number}:{name}" if number else name, root / name


def _about(cfg: dict) -> dict[str, str]:
    """What a training of a language model has to say in the records of its scores; {} of any other training."""
    task = cfg.get("task") or {}
    if "mask_prob" not in task:
        return {}
    langs = task.get("langs")
    objectives = active(task, cfg.get("criterion") or {})
    return {"objectives": "+".join(objectives)} | ({"langs": str(langs)} if langs else {})


def state_dict(save: Callable[..., dict], trainer: Trainer) -> dict:
    """``Trainer.state_dict`` with the fingerprints; what was allowed to change once is not allowed for ever."""
    state = save(trainer)
    state["extra_state"][KEY] = of(trainer)
    task = state["cfg"]["task"] if isinstance(state["cfg"], dict) else None
    if isinstance(task, dict) and task.get("allow_changed"):
        task["allow_changed"] = ""
    return state


def read(state: Mapping) -> Fingerprints | None:
    """Fingerprints of a checkpoint; None: it has none, or something else in their place."""
    found = (state.get("extra_state") or {}).get(KEY)
    return found if isinstance(found, dict) and all(map(_is_group, found.values(), found)) else None


def _is_group(group: object, name: object) -> bool:
    """Whether these are values by name; those of a pre-training are groups themselves."""
    return (
        isinstance(name, str)
        and isinstance(group, dict)
        and all(
            isinstance(key, str) and (_is_group(value, key) if name == PRETRAINING else isinstance(value, str))
            for key, value in group.items()
        )
    )


def allowed(given: str = "") -> set[str]:
    """What may have changed, by ``--allow-changed`` or, where that is not given, the variable ``ALLOW``.

    Raises:
        InputError: there is no such kind of thing.
    """
    named = {name for name in (given or os.environ.get(ALLOW, "")).split(",") if name}
    if named - set(GROUPS):
        raise InputError(f"found --allow-changed {','.join(sorted(named))}, expected some of {','.join(GROUPS)}")
    return named


def changes(before: Fingerprints, now: Fingerprints, group: str) -> list[str]:
    """What has changed in a group, in words: ``--mask-prob 0.15 (now 0.3)``.

    Of settings only those are compared that both sides know: versions have different flags. So it is with the sets for
    validation, which a run may take more or fewer of.

    >>> changes({"data": {"en/train.bin": "0a"}}, {"data": {"fr/train.bin": "0b"}}, "data")
    ['en/train.bin 0a (now none)', 'fr/train.bin none (now 0b)']
    """
    if group not in before:  # of an imported model only the vocabulary is known
        return []
    one, other = before[group], now.get(group, {})
    names = one.keys() | other.keys() if group in ("lexicon", "data") else one.keys() & other.keys()
    return [
        f"{name} {one.get(name, 'none')!s:.60} (now {other.get(name, 'none')!s:.60})"
        for name in sorted(names)
        if one.get(name) != other.get(name)
    ]


def check(trainer: Trainer, path: str, extra_state: dict | None, goes_on: bool) -> None:
    """Compare what a run is made of with what the checkpoint was made of that it starts from.

    Args:
        path: of the checkpoint.
        extra_state: of the checkpoint; None: there is none.
        goes_on: whether the run goes on; otherwise it takes the weights alone, and only the vocabulary has to fit.

    Raises:
        InputError: something has changed that ``--allow-changed`` does not name.
    """
    now = of(trainer)
    if extra_state is None:
        return
    before = read({"extra_state": extra_state})
    if before is None:
        logger.warning("%s has no fingerprints: whether its training had this vocabulary and data is not known", path)
        return
    own = {name: before[name] for name in (ABOUT, "lexicon") if before.get(name)}
    earlier = before.get(PRETRAINING) or (own if before.get(ABOUT) else None)
    if earlier and not now[ABOUT]:
        now[PRETRAINING] = earlier
    may_change = allowed(getattr(trainer.cfg.task, "allow_changed", ""))
    groups = [one for one in GROUPS if goes_on or one == "vocabulary"]
    if trainer.cfg.checkpoint.reset_dataloader:
        groups = [one for one in groups if one not in ("data", "validation")]
    found = {group: changes(before, now, group) for group in groups}
    refused = [group for group in groups if found[group] and group not in may_change]
    if refused:
        listed = "; ".join(f"{group}: {', '.join(found[group])}" for group in refused)
        own = "allow_changed" in trainer.cfg.task
        advice = f"{'--allow-changed ' if own else ALLOW + '='}{','.join(refused)} goes on all the same"
        raise InputError(f"{path}: found changes since it was saved, {listed}; expected the same; {advice}")
    listed = [change for group in [*groups, LOGGED] for change in (found.get(group) or changes(before, now, group))]
    if goes_on and listed:
        logger.info("%s: changed since it was saved: %s", path, ", ".join(listed))


def check_vocabulary(path: str | Path, state: Mapping, task: FairseqTask) -> None:
    """Hold the vocabulary of a task against that of a checkpoint.

    Raises:
        InputError: they differ.
    """
    before = read(state)
    if before is None:
        logger.warning("%s has no fingerprints: whether dict.txt is that of its training is not known", path)
        return
    compare_vocabulary(path, before, of_vocabulary(task, {"task": {"data": getattr(task.cfg, "data", None)}}))


def compare_vocabulary(path: str | Path, before: Fingerprints, now: Mapping[str, str]) -> None:
    """Raise ``InputError`` unless a vocabulary is that of the fingerprints of a checkpoint."""
    found = changes(before, {"vocabulary": dict(now)}, "vocabulary")
    if found and "vocabulary" not in allowed():
        raise InputError(
            f"{path}: found another vocabulary than that of its training, {', '.join(found)}; expected the same; name "
            f"the data that it was trained on, or set {ALLOW}=vocabulary if the symbols have the same meaning"
        )


def load_with_vocabulary(
    load: Callable, filenames, arg_overrides=None, task=None, strict=True, suffix="", num_shards=1, state=None
):
    """fairseq's ``load_model_ensemble_and_task``, whose task has to have the vocabulary of the checkpoint.

    A task is also given what the criterion has learnt, which fairseq leaves in the file.
    """
    if state is None and len(filenames) == 1 and num_shards == 1:
        name = checkpoint_utils.get_maybe_sharded_checkpoint_filename(filenames[0], suffix, 0, 1)
        state = checkpoint_utils.load_checkpoint_to_cpu(name, arg_overrides)
    known = {KEY: read(state)} if state else None
    learnt = (state or {}).get("criterion")
    ensemble, cfg, task = load(filenames, arg_overrides, task, strict, suffix, num_shards, state)
    task.criterion_state = learnt if isinstance(learnt, dict) else None
    if known:
        check_vocabulary(filenames[0], {"extra_state": known}, task)
    return ensemble, cfg, task
