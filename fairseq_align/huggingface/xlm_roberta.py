"""Hugging Face's spelling of an encoder: config.json and the names of its tensors."""

from dataclasses import replace

import torch
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface.architecture import (
    CLASSES,
    LAYER_NORM_EPS,
    OFFSET,
    Architecture,
    Model,
    check,
    fresh_lm_head,
    pairs,
    take,
)

_HEADS = {"classifier.weight": "tagger", "classifier.out_proj.weight": "classifier"}


def to_config(size: Architecture) -> dict:
    """``config.json`` of Hugging Face."""
    config = {
        "architectures": [CLASSES[size.head]],
        "model_type": "xlm-roberta",
        "vocab_size": size.vocabulary,
        "hidden_size": size.dim,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": size.ffn_dim,
        "hidden_act": size.activation,
        "hidden_dropout_prob": size.dropout,
        "attention_probs_dropout_prob": size.attention_dropout,
        "classifier_dropout": size.head_dropout,
        "max_position_embeddings": size.positions + OFFSET,
        "position_embedding_type": "absolute",
        "type_vocab_size": 1,
        "layer_norm_eps": LAYER_NORM_EPS,
        "initializer_range": 0.02,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": size.tied,
        "torch_dtype": size.dtype,  # read by transformers 4 and 5
    }
    if size.labels:
        config["id2label"] = {str(index): label for index, label in enumerate(size.labels)}
        config["label2id"] = {label: index for index, label in enumerate(size.labels)}
    return config


def to_huggingface(model: Model) -> dict[str, Tensor]:
    """Tensors by Hugging Face's names, contiguous; its embedding of segments is one row of zeros."""
    size, tensors = model
    named = {pair.huggingface: tensors[pair.fairseq].contiguous() for pair in pairs(size)}
    if not size.tied and size.head == "masked_lm":
        named["lm_head.decoder.bias"] = named[
            "lm_head.bias"
        ].clone()  # transformers ties it with the weight or not at all
    kind = getattr(torch, size.dtype)
    return named | {"roberta.embeddings.token_type_embeddings.weight": torch.zeros(1, size.dim, dtype=kind)}


def from_huggingface(where: str, config: dict, tensors: dict[str, Tensor]) -> Model:
    """The model of a config.json and its tensors.

    A model without a head gets a masked-LM head that starts afresh (seed 1). Row 0 of the embedding of segments, which
    XLM-R adds to every token, goes into the positions; it is zero in XLM-R itself.

    Raises:
        InputError: the settings or tensors are not XLM-R's, or fairseq cannot express them.
    """
    fixed = {"model_type": "xlm-roberta", "position_embedding_type": "absolute", "pad_token_id": 1}
    fixed |= {"is_decoder": False, "add_cross_attention": False, "layer_norm_eps": LAYER_NORM_EPS}
    for name, value in fixed.items():
        default = None if name in ("model_type", "layer_norm_eps") else value
        if config.get(name, default) != value:
            raise InputError(
                f"{where}: found {name} {config.get(name)!r}, expected {value!r}; fairseq's roberta has no other"
            )
    tensors = _plain(tensors)
    words = tensors.get("roberta.embeddings.word_embeddings.weight")
    if words is None or words.dim() != 2:
        raise InputError(f"{where}: found no roberta.embeddings.word_embeddings.weight, expected weights of XLM-R")
    head = next((head for name, head in _HEADS.items() if name in tensors), "masked_lm")
    size = Architecture(
        head=head,
        vocabulary=len(words),
        layers=config.get("num_hidden_layers"),
        dim=config.get("hidden_size"),
        ffn_dim=config.get("intermediate_size"),
        heads=config.get("num_attention_heads"),
        positions=_positions(where, config),
        activation=config.get("hidden_act", "gelu"),
        tied=bool(config.get("tie_word_embeddings", True)),
        dropout=config.get("hidden_dropout_prob", 0.1),
        attention_dropout=config.get("attention_probs_dropout_prob", 0.1),
        labels=_labels(where, config, tensors, head),
        dtype=str(words.dtype).removeprefix("torch."),
    )
    dropout = config.get("classifier_dropout")
    size = check(where, replace(size, head_dropout=size.dropout if dropout is None else dropout))
    if head == "masked_lm" and "lm_head.dense.weight" not in tensors:
        size = replace(size, tied=True)
        tensors |= {name.removeprefix("encoder."): tensor for name, tensor in fresh_lm_head(size).items()}
    elif head == "masked_lm" and size.tied:
        tensors.pop("lm_head.decoder.weight", None)
    elif head == "masked_lm" and "lm_head.decoder.bias" in tensors:
        tensors["lm_head.bias"] = tensors["lm_head.decoder.bias"]
    tensors.pop("lm_head.decoder.bias", None)
    _fold_segments(tensors)
    return take(where, size, tensors, "huggingface")


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of ``XLMRobertaModel`` named as in a model with a head; without the pooler and buffers of positions."""
    if "embeddings.word_embeddings.weight" in tensors:
        tensors = {f"roberta.{name}": tensor for name, tensor in tensors.items()}
    unused = ("roberta.pooler.", "roberta.embeddings.position_ids", "roberta.embeddings.token_type_ids")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(unused)}


def _positions(where: str, config: dict) -> int:
    rows = config.get("max_position_embeddings")
    if not isinstance(rows, int) or rows <= OFFSET:
        raise InputError(f"{where}: found max_position_embeddings {rows!r}, expected more than {OFFSET}")
    return rows - OFFSET


def _labels(where: str, config: dict, tensors: dict[str, Tensor], head: str) -> tuple[str, ...]:
    if head == "masked_lm":
        return ()
    bias = tensors.get({"tagger": "classifier.bias", "classifier": "classifier.out_proj.bias"}[head])
    count = 0 if bias is None else len(bias)
    names = config.get("id2label") or {str(index): f"LABEL_{index}" for index in range(count)}
    labels = tuple(str(names.get(str(index))) for index in range(count)) if isinstance(names, dict) else ()
    bad = [label for label in labels if label.split() != [label]]
    if not labels or len(names) != count or len(set(labels)) < count or bad:
        raise InputError(
            f"{where}: found id2label {names!r:.80}, expected {count} different names without spaces; mend config.json"
        )
    return labels


def _fold_segments(tensors: dict[str, Tensor]) -> None:
    segments = tensors.pop("roberta.embeddings.token_type_embeddings.weight", None)
    name = "roberta.embeddings.position_embeddings.weight"
    if segments is not None and name in tensors and segments[0].any():
        tensors[name] = tensors[name] + segments[0]
