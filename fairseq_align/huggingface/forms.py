"""An encoder with a head as classes of transformers have it: config.json and the tensors, by a table of names.

encoder.sentence_encoder.embed_tokens      fairseq
roberta.embeddings.word_embeddings         XLMRoberta*
bert.embeddings.word_embeddings            Bert*

A ``Form`` has what differs between them; the functions are those of an ``adapters.Adapter``, with a form in front.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface.architecture import LAYER_NORM_EPS, OFFSET, Architecture, fresh_lm_head

logger = logging.getLogger(__name__)

LAYER = {  # fairseq's modules of a layer, and those of transformers
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.out_proj": "attention.output.dense",
    "self_attn_layer_norm": "attention.output.LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
    "final_layer_norm": "output.LayerNorm",
}
EMBEDDINGS = {
    "embed_tokens": "word_embeddings",
    "embed_positions": "position_embeddings",
    "layernorm_embedding": "LayerNorm",
}
FIXED = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
REGRESSION = "LABEL_0"  # as transformers calls what has no name
WIDENED = (torch.float16, torch.bfloat16)  # float32 holds all their values


class Form(NamedTuple):
    """What differs between the classes of transformers for one encoder.

    Attributes:
        model_type: of config.json.
        classes: class of transformers for each head of ``architecture.HEADS``.
        encoder: name of the encoder in a model with a head.
        heads: for each head, fairseq's modules and those of transformers; the last one of labels gives the logits.
        bias: of the output of the masked-LM head.
        decoder: output layer of the masked-LM head.
        first_position: row of the table of positions that the first token of a sentence gets.
        fixed: settings of config.json besides ``FIXED`` that have one value; it is the default, too.
        left_out: modules besides the pooler that fairseq has no place for, though a model may hold them.
    """

    model_type: str
    classes: Mapping[str, str]
    encoder: str
    heads: Mapping[str, Mapping[str, str]]
    bias: str
    decoder: str
    first_position: int
    fixed: Mapping[str, object] = {}
    left_out: tuple[str, ...] = ()

    @property
    def embeddings(self) -> str:
        return f"{self.encoder}.embeddings"

    @property
    def positions(self) -> str:
        return f"{self.embeddings}.position_embeddings.weight"

    @property
    def segments(self) -> str:
        return f"{self.embeddings}.token_type_embeddings.weight"


def weight_name(form: Form, name: str) -> str:
    """Name in transformers of a tensor with a name of fairseq's.

    Example:
        >>> from fairseq_align.huggingface.bert import BERT
        >>> weight_name(BERT, "encoder.sentence_encoder.layers.11.fc1.bias")
        'bert.encoder.layer.11.intermediate.dense.bias'
    """
    if name in ("encoder.lm_head.bias", "encoder.lm_head.weight"):
        return form.bias if name.endswith("bias") else f"{form.decoder}.weight"
    module, _, parameter = name.rpartition(".")
    inner = module.removeprefix("encoder.sentence_encoder.")
    layer = re.match(r"layers\.(\d+)\.", inner)
    if layer:
        return f"{form.encoder}.encoder.layer.{layer[1]}.{LAYER[inner[layer.end() :]]}.{parameter}"
    if inner in EMBEDDINGS:
        return f"{form.embeddings}.{EMBEDDINGS[inner]}.{parameter}"
    heads = {ours: theirs for modules in form.heads.values() for ours, theirs in modules.items()}
    return f"{heads[module]}.{parameter}"


def to_config(form: Form, size: Architecture) -> dict:
    """Content of ``config.json``."""
    config = {
        "architectures": [form.classes[size.head]],
        "model_type": form.model_type,
        "vocab_size": size.vocabulary,
        "hidden_size": size.dim,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": size.ffn_dim,
        "hidden_act": size.activation,
        "hidden_dropout_prob": size.dropout,
        "attention_probs_dropout_prob": size.attention_dropout,
        "classifier_dropout": size.head_dropout,
        "max_position_embeddings": size.positions + form.first_position,
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
    if size.regression:
        config["problem_type"] = "regression"
        config["id2label"], config["label2id"] = {"0": REGRESSION}, {REGRESSION: 0}
    if size.labels:
        config["id2label"] = {str(index): label for index, label in enumerate(size.labels)}
        config["label2id"] = {label: index for index, label in enumerate(size.labels)}
    return config


def to_weights(form: Form, size: Architecture, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of transformers, with those that fairseq does not have: an embedding of segments of one zero
    row. The first rows of the positions, which no token gets, are there only where ``form`` has them.

    Args:
        tensors: by the names of ``weight_name``.
    """
    segments = torch.zeros(1, size.dim, dtype=getattr(torch, size.dtype))
    positions = tensors[form.positions][OFFSET - form.first_position :].clone()
    weights = {**tensors, form.positions: positions, form.segments: segments}
    if not size.tied and size.head == "masked_lm":  # transformers ties it with the weight or not at all
        weights[f"{form.decoder}.bias"] = weights[form.bias].clone()
    return weights


def from_config(form: Form, where: str, config: dict, tensors: dict[str, Tensor]) -> Architecture:
    """The architecture of a config.json and its tensors; it may be one that fairseq cannot express.

    Raises:
        InputError: the settings or tensors are not those of the form.
    """
    for name, value in (FIXED | dict(form.fixed)).items():
        if config.get(name, value) != value:
            raise InputError(
                f"{where}: found {name} {config.get(name)!r:.40}, expected {value!r}; fairseq's roberta has no other"
            )
    tensors = _with_prefix(form, tensors)
    words = tensors.get(f"{form.embeddings}.word_embeddings.weight")
    if words is None or words.dim() != 2:
        raise InputError(
            f"{where}: found no {form.embeddings}.word_embeddings.weight, expected weights of {form.model_type}"
        )
    head = _head(form, where, config, tensors)
    _check_widths(form, where, config, tensors)
    regression = head == "classifier" and _is_regression(form, where, config, tensors)
    dropout, head_dropout = config.get("hidden_dropout_prob", 0.1), config.get("classifier_dropout")
    return Architecture(
        head=head,
        vocabulary=len(words),
        layers=config.get("num_hidden_layers"),
        dim=config.get("hidden_size"),
        ffn_dim=config.get("intermediate_size"),
        heads=config.get("num_attention_heads"),
        positions=_positions(form, where, config),
        activation=config.get("hidden_act", "gelu"),
        tied=_lacks_head(form, head, tensors) or bool(config.get("tie_word_embeddings", True)),
        dropout=dropout,
        attention_dropout=config.get("attention_probs_dropout_prob", 0.1),
        head_dropout=dropout if head_dropout is None else head_dropout,
        labels=() if regression else _labels(form, where, config, tensors, head),
        regression=regression,
        dtype=_dtype(form, tensors, words),
    )


def from_weights(form: Form, size: Architecture, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that fairseq has, too, by the names of ``weight_name``; what is left out or folded is logged.

    A model without a head gets a masked-LM head that starts afresh (seed 1). Row 0 of the embedding of segments, which
    is added to every token, goes into the positions; it is zero in XLM-R itself. Positions get the rows before the
    first token's that fairseq has, zeros where the form has none.
    """
    tensors = _without_rest(form, size, _with_prefix(form, tensors))
    if size.dtype == "float32":
        tensors = {name: tensor.float() if tensor.dtype in WIDENED else tensor for name, tensor in tensors.items()}
    query = tensors.get(weight_name(form, "encoder.sentence_encoder.layers.0.self_attn.q_proj.weight"))
    if query is None or tuple(query.shape) != (size.dim, size.dim):
        return tensors  # refused; a head of a size that the settings alone name could take any memory
    if _lacks_head(form, size.head, tensors):
        logger.info("a masked-LM head of new weights (seed 1), tied to the embeddings: the model has none")
        tensors |= {weight_name(form, name): tensor for name, tensor in fresh_lm_head(size).items()}
    elif size.head == "masked_lm" and size.tied:
        tensors.pop(f"{form.decoder}.weight", None)
    elif size.head == "masked_lm" and f"{form.decoder}.bias" in tensors:
        tensors[form.bias] = tensors[f"{form.decoder}.bias"]
    tensors.pop(f"{form.decoder}.bias", None)
    segments = tensors.pop(form.segments, None)
    if form.positions not in tensors:
        return tensors
    positions = tensors[form.positions]
    if segments is not None and segments[0].any():
        logger.info("segment 0 of %d, that of all text here, is folded into the positions", len(segments))
        positions = positions + segments[0]
    if form.first_position < OFFSET:
        logger.info("positions begin at row %d, as fairseq's do: rows of zeros before them", OFFSET)
        positions = torch.cat([positions.new_zeros(OFFSET - form.first_position, *positions.shape[1:]), positions])
    return tensors | {form.positions: positions}


def _with_prefix(form: Form, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors named as in a model with a head, also those of an encoder alone (``XLMRobertaModel``, ``BertModel``)."""
    if "embeddings.word_embeddings.weight" in tensors:
        return {f"{form.encoder}.{name}": tensor for name, tensor in tensors.items()}
    return tensors


def _without_rest(form: Form, size: Architecture, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors without modules that the head does not use, and without buffers."""
    used = form.heads[size.head].values()
    modules = [module for module in (f"{form.encoder}.pooler.dense", *form.left_out) if module not in used]
    for module in modules:
        if f"{module}.weight" in tensors:
            logger.info("%s is left out: fairseq has no place for it", module)
    buffers = (f"{form.embeddings}.position_ids", f"{form.embeddings}.token_type_ids")
    rest = (*(f"{module}." for module in modules), *buffers)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(rest)}


def _weights(modules: Iterable[str]) -> list[str]:
    return [f"{module}.weight" for module in modules]


def _head(form: Form, where: str, config: dict, tensors: dict[str, Tensor]) -> str:
    """The head of the class that config.json names, or else the one whose modules are there.

    Tensors do not tell all heads apart: one of multiple choice looks like a classifier's or a tagger's of one label.

    Raises:
        InputError: the class has another head than those of ``form``, or its modules are not there.
    """
    there = [h for h in ("classifier", "tagger") if tensors.keys() >= set(_weights(form.heads[h].values()))]
    by_tensors = next(iter(there), "masked_lm")  # the classifier first, as BERT's has the tagger's and one more
    named = config.get("architectures") or []
    if named == []:
        return by_tensors
    stem = form.classes["masked_lm"].removesuffix("ForMaskedLM")
    heads = {name: head for head, name in form.classes.items()}
    without = {f"{stem}Model": by_tensors, f"{stem}ForPreTraining": "masked_lm"}
    known = {**without, **heads}
    if not isinstance(named, list) or len(named) != 1 or not isinstance(named[0], str) or named[0] not in known:
        raise InputError(
            f"{where}: found architectures {named!r:.80}, expected one of {', '.join(heads)}; fairseq has no other head"
        )
    head = known[named[0]]
    if head != "masked_lm" and head not in there:
        raise InputError(f"{where}: found no head of {named[0]}, expected its tensors; get a whole copy")
    return head


def _check_widths(form: Form, where: str, config: dict, tensors: dict[str, Tensor]) -> None:
    """Raise ``InputError`` unless positions and segments, which are added to each other, have rows of one width."""
    width = config.get("hidden_size")
    if not isinstance(width, int):
        return  # refused with the other sizes
    for name in (form.positions, form.segments):
        shape = tuple(tensors[name].shape) if name in tensors else (1, width)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != width:
            raise InputError(
                f"{where}: found {name} of shape {shape}, expected rows of {width!r:.40}; get a whole copy"
            )


def _is_regression(form: Form, where: str, config: dict, tensors: dict[str, Tensor]) -> bool:
    """Whether the one output of a classifier is a number; transformers takes it so unless told otherwise.

    Raises:
        InputError: the outputs are several labels that may hold at once.
    """
    *_, output = form.heads["classifier"].values()
    kind, bias = config.get("problem_type"), tensors.get(f"{output}.bias")
    count = 0 if bias is None else bias.numel()
    if kind not in (None, "single_label_classification") and (kind != "regression" or count != 1):
        raise InputError(
            f"{where}: found problem_type {kind!r:.40} of {count} outputs, expected classes of which one is right, or "
            "a regression of one number; fairseq has no other"
        )
    return count == 1


def _lacks_head(form: Form, head: str, tensors: dict[str, Tensor]) -> bool:
    return head == "masked_lm" and _weights(form.heads[head].values())[0] not in tensors


def _dtype(form: Form, tensors: dict[str, Tensor], words: Tensor) -> str:
    """Type of all weights; float32 for halves that differ or take up a row of segments, which would be rounded."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    folded = form.segments in tensors and bool(tensors[form.segments][:1].any())
    if kinds <= {*WIDENED, torch.float32} and (len(kinds) > 1 or folded) and kinds != {torch.float32}:
        shown = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        logger.info("weights of %s are widened to float32, which holds them exactly", shown)
        return "float32"
    return str(words.dtype).removeprefix("torch.")


def _positions(form: Form, where: str, config: dict) -> int:
    rows = config.get("max_position_embeddings")
    if not isinstance(rows, int) or rows <= form.first_position:
        raise InputError(
            f"{where}: found max_position_embeddings {rows!r:.40}, expected more than {form.first_position}"
        )
    return rows - form.first_position


def _labels(form: Form, where: str, config: dict, tensors: dict[str, Tensor], head: str) -> tuple[str, ...]:
    if head == "masked_lm":
        return ()
    *_, output = form.heads[head].values()
    bias = tensors.get(f"{output}.bias")
    count = 0 if bias is None or bias.dim() != 1 else len(bias)
    names = config.get("id2label") or {str(index): f"LABEL_{index}" for index in range(count)}
    labels = tuple(str(names.get(str(index))) for index in range(count)) if isinstance(names, dict) else ()
    bad = [label for label in labels if label.split() != [label] or not label.isprintable()]
    if not labels or len(names) != count or len(set(labels)) < count or bad:
        raise InputError(
            f"{where}: found id2label {names!r:.80}, expected {count} different names without spaces; mend config.json"
        )
    return labels
