"""Hugging Face's ``XLMRoberta*``: config.json and the names of its tensors.

fairseq                                    Hugging Face
encoder.sentence_encoder.embed_tokens      roberta.embeddings.word_embeddings
encoder.sentence_encoder.layers.0.fc1      roberta.encoder.layer.0.intermediate.dense
encoder.lm_head.dense                      lm_head.dense
"""

import re

import torch
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface.architecture import HEAD_NAME, LAYER_NORM_EPS, OFFSET, Architecture, fresh_lm_head

MODEL_TYPE = "xlm-roberta"
CLASSES = {
    "masked_lm": "XLMRobertaForMaskedLM",
    "tagger": "XLMRobertaForTokenClassification",
    "classifier": "XLMRobertaForSequenceClassification",
}
MODULES = {  # fairseq's modules, # for the number of the layer, and Hugging Face's
    "encoder.sentence_encoder.embed_tokens": "roberta.embeddings.word_embeddings",
    "encoder.sentence_encoder.embed_positions": "roberta.embeddings.position_embeddings",
    "encoder.sentence_encoder.layernorm_embedding": "roberta.embeddings.LayerNorm",
    "encoder.sentence_encoder.layers.#.self_attn.q_proj": "roberta.encoder.layer.#.attention.self.query",
    "encoder.sentence_encoder.layers.#.self_attn.k_proj": "roberta.encoder.layer.#.attention.self.key",
    "encoder.sentence_encoder.layers.#.self_attn.v_proj": "roberta.encoder.layer.#.attention.self.value",
    "encoder.sentence_encoder.layers.#.self_attn.out_proj": "roberta.encoder.layer.#.attention.output.dense",
    "encoder.sentence_encoder.layers.#.self_attn_layer_norm": "roberta.encoder.layer.#.attention.output.LayerNorm",
    "encoder.sentence_encoder.layers.#.fc1": "roberta.encoder.layer.#.intermediate.dense",
    "encoder.sentence_encoder.layers.#.fc2": "roberta.encoder.layer.#.output.dense",
    "encoder.sentence_encoder.layers.#.final_layer_norm": "roberta.encoder.layer.#.output.LayerNorm",
    "encoder.lm_head.dense": "lm_head.dense",
    "encoder.lm_head.layer_norm": "lm_head.layer_norm",
    "tagging_head.out_proj": "classifier",
    f"classification_heads.{HEAD_NAME}.dense": "classifier.dense",
    f"classification_heads.{HEAD_NAME}.out_proj": "classifier.out_proj",
}
PARAMETERS = {"encoder.lm_head.bias": "lm_head.bias", "encoder.lm_head.weight": "lm_head.decoder.weight"}

_HEADS = {"classifier.weight": "tagger", "classifier.out_proj.weight": "classifier"}


def weight_name(name: str) -> str:
    """Hugging Face's name of a tensor with a name of fairseq's.

    Example:
        >>> weight_name("encoder.sentence_encoder.layers.11.fc1.bias")
        'roberta.encoder.layer.11.intermediate.dense.bias'
    """
    if name in PARAMETERS:
        return PARAMETERS[name]
    layer = "".join(re.findall(r"\.layers\.(\d+)\.", name))
    module, _, parameter = name.replace(f".layers.{layer}.", ".layers.#.").rpartition(".")
    return f"{MODULES[module].replace('#', layer)}.{parameter}"


def to_config(size: Architecture) -> dict:
    """Content of ``config.json``."""
    config = {
        "architectures": [CLASSES[size.head]],
        "model_type": MODEL_TYPE,
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


def to_weights(size: Architecture, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by Hugging Face's names, with those that fairseq does not have: an embedding of segments of one zero row.

    Args:
        tensors: by the names of ``weight_name``.
    """
    segments = torch.zeros(1, size.dim, dtype=getattr(torch, size.dtype))
    weights = {**tensors, "roberta.embeddings.token_type_embeddings.weight": segments}
    if not size.tied and size.head == "masked_lm":  # transformers ties it with the weight or not at all
        weights["lm_head.decoder.bias"] = weights["lm_head.bias"].clone()
    return weights


def from_config(where: str, config: dict, tensors: dict[str, Tensor]) -> Architecture:
    """The architecture of a config.json and its tensors; it may be one that fairseq cannot express.

    Raises:
        InputError: the settings or tensors are not XLM-R's.
    """
    fixed = {"position_embedding_type": "absolute", "pad_token_id": 1, "is_decoder": False}
    fixed |= {"add_cross_attention": False, "layer_norm_eps": LAYER_NORM_EPS}
    for name, value in fixed.items():
        default = None if name == "layer_norm_eps" else value
        if config.get(name, default) != value:
            raise InputError(
                f"{where}: found {name} {config.get(name)!r}, expected {value!r}; fairseq's roberta has no other"
            )
    tensors = _with_prefix(tensors)
    words = tensors.get("roberta.embeddings.word_embeddings.weight")
    if words is None or words.dim() != 2:
        raise InputError(f"{where}: found no roberta.embeddings.word_embeddings.weight, expected weights of XLM-R")
    head = next((head for name, head in _HEADS.items() if name in tensors), "masked_lm")
    fresh_head = head == "masked_lm" and "lm_head.dense.weight" not in tensors
    dropout, head_dropout = config.get("hidden_dropout_prob", 0.1), config.get("classifier_dropout")
    return Architecture(
        head=head,
        vocabulary=len(words),
        layers=config.get("num_hidden_layers"),
        dim=config.get("hidden_size"),
        ffn_dim=config.get("intermediate_size"),
        heads=config.get("num_attention_heads"),
        positions=_positions(where, config),
        activation=config.get("hidden_act", "gelu"),
        tied=fresh_head or bool(config.get("tie_word_embeddings", True)),
        dropout=dropout,
        attention_dropout=config.get("attention_probs_dropout_prob", 0.1),
        head_dropout=dropout if head_dropout is None else head_dropout,
        labels=_labels(where, config, tensors, head),
        dtype=str(words.dtype).removeprefix("torch."),
    )


def from_weights(size: Architecture, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that fairseq has, too, by the names of ``weight_name``.

    A model without a head gets a masked-LM head that starts afresh (seed 1). Row 0 of the embedding of segments, which
    XLM-R adds to every token, goes into the positions; it is zero in XLM-R itself.
    """
    tensors = _with_prefix(tensors)
    if size.head == "masked_lm" and "lm_head.dense.weight" not in tensors:
        tensors |= {weight_name(name): tensor for name, tensor in fresh_lm_head(size).items()}
    elif size.head == "masked_lm" and size.tied:
        tensors.pop("lm_head.decoder.weight", None)
    elif size.head == "masked_lm" and "lm_head.decoder.bias" in tensors:
        tensors["lm_head.bias"] = tensors["lm_head.decoder.bias"]
    tensors.pop("lm_head.decoder.bias", None)
    segments = tensors.pop("roberta.embeddings.token_type_embeddings.weight", None)
    positions = "roberta.embeddings.position_embeddings.weight"
    if segments is not None and positions in tensors and segments[0].any():
        tensors[positions] = tensors[positions] + segments[0]
    return tensors


def _with_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors named as in a model with a head, also of ``XLMRobertaModel``; without the pooler and buffers."""
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
