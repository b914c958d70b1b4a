"""The model card (README.md) of an exported model: what it is, how it was trained, how it scores."""

from __future__ import annotations

import dataclasses
import json
import re
from argparse import Namespace
from collections.abc import Sequence
from textwrap import dedent
from typing import TYPE_CHECKING

from fairseq_align.huggingface.architecture import HEADS, Architecture
from fairseq_align.huggingface.history import History
from fairseq_align.objectives import OBJECTIVES
from fairseq_align.results import records
from fairseq_align.text import vocabulary
from fairseq_align.version import __version__

if TYPE_CHECKING:
    from fairseq.data import Dictionary

# its default is the number of GPUs of the machine that asks
ALWAYS = ("distributed_training.distributed_world_size",)
TEMPLATE = dedent("""\
    ---
    {head}
    ---
    # {name}

    `{model_class}`, exported from fairseq by fairseq_align {version}.

    {facts}

    ## Text

    {text}
    The tokenizer itself does Unicode NFC (marks of Arabic, Hebrew, Thai and
    Indic letters stay in their order), removes control characters, unifies white space and does SentencePiece's
    normalisation. Text that contains the name of a special symbol, such as `</s>`,
    means that symbol to transformers. No text is tokenized into a derived piece; its row and id are kept, and
    tokenizer.json has it with a space at its end.

    ## Training

    {training}

    ## Scores

    {scores}
    """)


IN_WORDS = """\
The tokenizer gives the ids of the training for text in words: tokenise raw text with sacremoses first
(`escape=False`, the language's rules)."""
RAW = """\
Give raw text, as the model that this one began as has learnt it. Text of a later training is in the form in which its
corpus was made."""
UNKNOWN = """\
This model began as `{start}`, which could not be read when this card was written: whether it has learnt raw text or
words that were tokenised first (`sacremoses`) is not known here. Text of a later training is in the form in which its
corpus was made."""
UNTRAINED = "None since the model was imported."
SETTINGS = """\
Settings that differ from the default of their flag; files are named without their folders.

| setting | value |
|---|---|
{rows}"""


def plain(group: object) -> dict:
    """Settings of a group, which old tasks keep in a ``Namespace``; none of a group that does not exist."""
    return vars(group) if isinstance(group, Namespace) else group if isinstance(group, dict) else {}


def objective(cfg: dict) -> str:
    """The loss of a training in words, from the settings of its checkpoint.

    Example:
        >>> objective({"task": {"tlm_pairs": "en:fr"}, "criterion": {"align_weight": 10.0}})
        'MLM + TLM + ALIGN-MLM, alpha = 10.0'
    """
    task, criterion = plain(cfg.get("task")), plain(cfg.get("criterion"))
    if task.get("_name") in {head.task for name, head in HEADS.items() if name != "masked_lm"}:
        return f"fine-tuning with {task['_name']}"
    return " + ".join(
        row.label + (f", alpha = {criterion[row.weight]}" if row.weight else "")
        for row in OBJECTIVES.values()
        if row.is_active(task, criterion)
    )


def changed_settings(cfg: dict) -> dict[str, object]:
    """The settings of a checkpoint that differ from the default of their dataclass, as ``group.name``.

    Left out are settings that repeat another, as a criterion's seed does, and groups without a dataclass, as
    fairseq's ``roberta``, whose sizes and dropout the card has anyway.
    """
    changed = {}
    for group, settings in cfg.items():
        values = plain(settings)
        for field in _fields(group, values.get("_name")):
            name, default = f"{group}.{field.name}", _default(group, field)
            if field.name not in values or str(default).startswith("${"):
                continue
            value = values[field.name]
            same = value == default or str(value) == str(default)  # a choice may be a string or a member of its enum
            if value is not None and (name in ALWAYS or not same):
                changed[name] = value
    return changed


def _fields(group: str, name: str | None) -> tuple[dataclasses.Field, ...]:
    """Fields of the dataclass of a group, chosen by name where fairseq has several; none where it has no dataclass."""
    from fairseq.dataclass.configs import FairseqConfig
    from fairseq.registry import REGISTRIES
    from fairseq.tasks import TASK_DATACLASS_REGISTRY

    own = next((field.type for field in dataclasses.fields(FairseqConfig) if field.name == group), None)
    if not dataclasses.is_dataclass(own):
        chosen = TASK_DATACLASS_REGISTRY if group == "task" else REGISTRIES.get(group, {}).get("dataclass_registry", {})
        own = chosen.get(name)
    return dataclasses.fields(own) if own else ()


def _default(group: str, field: dataclasses.Field) -> object:
    from fairseq.registry import REGISTRIES

    if field.name == "_name":
        return REGISTRIES.get(group, {}).get("default")
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _langs(cfg: dict) -> list[str]:
    task = plain(cfg.get("task"))
    named = str(task.get("langs") or task.get("lang") or "").split(",")
    return [lang for lang in named if re.fullmatch("[a-z]{2,3}", lang) and lang != "und"]


def card(
    name: str,
    model_type: str,
    model_class: str,
    size: Architecture,
    cfg: dict,
    dictionary: Dictionary,
    checkpoint: str,
    scores: Sequence[dict],
    history: History = History(),  # noqa: B008  immutable
) -> str:
    """The card as Markdown.

    Args:
        model_type, model_class: of transformers.
        cfg: all settings of the checkpoint by group.
        checkpoint: its checksum.
        scores: records of ``results`` of this checkpoint.
        history: where it comes from.
    """
    imported = history.imported
    half = vocabulary.derived_size(dictionary)
    derived = "" if half is None else f", half of them derived (`{vocabulary.suffix_of(dictionary)}` after the piece)"
    head = {"library_name": "transformers", "pipeline_tag": HEADS[size.head].pipeline, "language": _langs(cfg)}
    head |= {"tags": ["fairseq", "align-mlm", model_type]}
    if imported:
        head |= {"base_model": imported["model"], "license": imported["license"]}
    facts = {
        "Base model": f"`{imported['model']}`" + _licence(imported["license"]) if imported else "",
        "Changed at its import": "; ".join(imported.get("changes", ())),
        "Word embeddings": "; ".join(map(_aligned, history.aligned)),
        "Trained on from": f"`{history.start}`" if history.start else "",
        "Objective": objective(cfg) if history.trained else "none: it was not trained since its import",
        "Encoder": f"{size.layers} layers, dim {size.dim}, {size.heads} heads, {size.positions} positions",
        "Dropout": f"{size.dropout}, of attention {size.attention_dropout}, of the head {size.head_dropout}",
        "Vocabulary": f"{len(vocabulary.pieces(dictionary)):,} pieces{derived}, "
        f"checksum {vocabulary.checksum(dictionary)}",
        "Checkpoint": f"{checkpoint} (first 12 digits of its sha256)",
        "Labels": " ".join(size.labels),
    }
    rows = "\n".join(f"| {key} | `{_shown(value)}` |" for key, value in changed_settings(cfg).items())
    signatures = [f"- {records.signature(record)}" for record in scores]
    return TEMPLATE.format(
        head="\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items() if value),
        name=name,
        model_class=model_class,
        version=__version__,
        facts="\n".join(f"- {fact}: {value}" for fact, value in facts.items() if value),
        text=RAW if imported else UNKNOWN.format(start=history.missing) if history.missing else IN_WORDS,
        training=SETTINGS.format(rows=rows) if history.trained else UNTRAINED,
        scores="\n".join(signatures) or "None were recorded for this checkpoint.",
    )


def _licence(name: str) -> str:
    return f", licence {name}" if name else ", whose licence its files did not say"


def _aligned(done: dict) -> str:
    """What ``fairseq-align align`` did, in words.

    Example:
        >>> done = {"updates": 150, "pairs": 512, "align_loss": "contrastive", "lexicon": "en-fr.tsv", "start": ""}
        >>> _aligned(done)
        'aligned alone on en-fr.tsv: 150 updates, contrastive, 512 pairs of each lexicon'
    """
    start = f" after a start {done['start']}" if done["start"] else ""
    pairs = f"{done['pairs']} pairs" if done["pairs"] else "all pairs"
    return (
        f"aligned alone on {done['lexicon']}{start}: {done['updates']} updates, {done['align_loss']}, {pairs} of each "
        "lexicon"
    )


def _shown(value: object) -> str:
    """A setting in a cell of a table: without the folders of paths, which say nothing on another machine."""
    return re.sub(r"[^\s:,]*/", "", str(value)).replace("|", "\\|")
