"""The model card (README.md) of an exported model: what it is, how it was trained, how it scores."""

import json
import re
from argparse import Namespace
from collections.abc import Sequence

from fairseq.data import Dictionary

from fairseq_align.huggingface.architecture import CLASSES, Architecture
from fairseq_align.results import records as results
from fairseq_align.text import vocabulary
from fairseq_align.version import __version__

PIPELINES = {"masked_lm": "fill-mask", "tagger": "token-classification", "classifier": "text-classification"}
# settings that make a training what it is, by group of fairseq's configuration
SIGNATURE = {
    "common": ("seed", "fp16", "bf16"),
    "task": (
        "_name",
        "langs",
        "lang",
        "tokens_per_sample",
        "sample_break_mode",
        "mask_prob",
        "mask_whole_words",
        "tlm_pairs",
        "tlm_rate",
        "dict_mlm",
        "dict_mlm_rate",
        "dict_mlm_mode",
        "multilang_sampling_alpha",
        "freeze_embeddings",
        "num_classes",
    ),
    "criterion": ("_name", "lexicon", "align_weight", "align_loss", "align_pairs", "align_sampling"),
    "dataset": ("batch_size", "max_tokens", "train_subset"),
    "optimization": ("lr", "max_update", "max_epoch", "update_freq", "clip_norm"),
    "optimizer": ("_name", "adam_betas", "weight_decay"),
    "lr_scheduler": ("_name", "warmup_updates", "total_num_update"),
    "checkpoint": ("finetune_from_model", "restore_file"),
}


def plain(group: object) -> dict:
    """Settings of a group, which old tasks keep in a ``Namespace``; none of a group that is not there."""
    return vars(group) if isinstance(group, Namespace) else group if isinstance(group, dict) else {}


def objective(cfg: dict) -> str:
    """What the loss of a training was, in words."""
    task, criterion = plain(cfg.get("task")), plain(cfg.get("criterion"))
    if task.get("_name") in ("sequence_tagging", "sentence_prediction"):
        return f"fine-tuning with {task['_name']}"
    names = ["MLM"]
    names += ["TLM"] if task.get("tlm_pairs") else []
    names += ["DICT-MLM"] if task.get("dict_mlm") else []
    names += [f"ALIGN-MLM, alpha = {criterion['align_weight']}"] if criterion.get("align_weight") else []
    return " + ".join(names)


def signature(cfg: dict) -> dict[str, object]:
    """The settings of ``SIGNATURE`` that a checkpoint has, as ``group.name``; those that are None are left out."""
    groups = {group: plain(cfg.get(group)) for group in SIGNATURE}
    return {
        f"{group}.{name}": groups[group][name]
        for group, names in SIGNATURE.items()
        for name in names
        if groups[group].get(name) is not None
    }


def _langs(cfg: dict) -> list[str]:
    task = plain(cfg.get("task"))
    named = str(task.get("langs") or task.get("lang") or "").split(",")
    return [lang for lang in named if re.fullmatch("[a-z]{2,3}", lang) and lang != "und"]


def card(
    name: str, size: Architecture, cfg: dict, dictionary: Dictionary, checkpoint: str, scores: Sequence[dict]
) -> str:
    """The card as Markdown.

    Args:
        cfg: all settings of the checkpoint.
        checkpoint: its checksum.
        scores: records of ``results`` of this checkpoint.
    """
    half = vocabulary.derived_size(dictionary)
    derived = "" if half is None else f", half of them derived (`{vocabulary.suffix_of(dictionary)}` behind the piece)"
    pieces = len(vocabulary.pieces(dictionary))
    head = {"library_name": "transformers", "pipeline_tag": PIPELINES[size.head], "language": _langs(cfg)}
    head |= {"tags": ["fairseq", "align-mlm", "xlm-roberta"]}
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in head.items() if value), "---", f"# {name}", ""]
    lines += [f"`{CLASSES[size.head]}`, exported from fairseq by fairseq_align {__version__}.", ""]
    lines += [f"- Objective: {objective(cfg)}"]
    lines += [f"- Encoder: {size.layers} layers, dim {size.dim}, {size.heads} heads, {size.positions} positions"]
    lines += [f"- Vocabulary: {pieces:,} pieces{derived}, checksum {vocabulary.checksum(dictionary)}"]
    lines += [f"- Checkpoint: {checkpoint} (first 12 digits of its sha256)"]
    lines += [f"- Labels: {' '.join(size.labels)}"] if size.labels else []
    lines += ["", "## Text", "", "The tokenizer gives the ids of the training for text in words: raw text has to be"]
    lines += [
        "tokenised with sacremoses first (`escape=False`, the language's rules). Unicode NFC, control characters,"
    ]
    lines += ["white space and SentencePiece's normalisation are the tokenizer's own work. Text that spells a special"]
    lines += [
        "symbol, such as `</s>`, means that symbol to transformers. No text gives a derived piece; its row and id"
    ]
    lines += ["are kept, and it stands in tokenizer.json with a space behind it.", ""]
    lines += ["## Training", "", "| setting | value |", "|---|---|"]
    lines += [f"| {key} | `{_cell(value)}` |" for key, value in signature(cfg).items()]
    lines += ["", "## Scores", ""]
    lines += [f"- {results.signature(record)}" for record in scores] or ["None were recorded for this checkpoint."]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
