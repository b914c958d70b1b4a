"""An encoder of XLM-R's architecture in two spellings, fairseq's ``roberta`` and Hugging Face's ``XLMRoberta*``.

Both hold the same tensors under other names; ``pairs`` is the table. Positions agree: fairseq's learned embedding and
Hugging Face's both number the tokens of a sentence from pad + 1 = 2 and leave padding at 1, so the table of positions
has two rows more than a sentence can have tokens. What one side cannot express is refused.

    fairseq                                    Hugging Face
    encoder.sentence_encoder.embed_tokens      roberta.embeddings.word_embeddings
    encoder.sentence_encoder.layers.0.fc1      roberta.encoder.layer.0.intermediate.dense
    encoder.lm_head.dense                      lm_head.dense
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from fairseq_align.errors import InputError

LAYER_NORM_EPS = 1e-5  # torch's default, which fairseq's LayerNorm has
OFFSET = 2  # rows of the table of positions before the first token's: pad + 1
HEAD_NAME = "sentence_classification_head"  # what fairseq's sentence_prediction calls its head
CLASSES = {
    "masked_lm": "XLMRobertaForMaskedLM",
    "tagger": "XLMRobertaForTokenClassification",
    "classifier": "XLMRobertaForSequenceClassification",
}
DTYPES = ("float16", "bfloat16", "float32")


@dataclass(frozen=True)
class Architecture:
    """Sizes and settings of an encoder with its head.

    Attributes:
        head: ``masked_lm``, ``tagger`` (dropout, one linear layer) or ``classifier`` (dense, tanh, linear).
        vocabulary: rows of the word embeddings, V.
        dim, ffn_dim: C and F.
        positions: most tokens in a sentence.
        activation: ``gelu`` or ``relu``; the masked-LM head has the same, where Hugging Face knows ``gelu`` alone.
        tied: the output layer of the masked-LM head is the word embeddings.
        dropout, attention_dropout, head_dropout: probabilities in training.
        labels: names in the order of the logits; none for ``masked_lm``.
        dtype: of all tensors, one of ``DTYPES``.
    """

    head: str
    vocabulary: int
    layers: int
    dim: int
    ffn_dim: int
    heads: int
    positions: int
    activation: str = "gelu"
    tied: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.1
    head_dropout: float = 0.0
    labels: tuple[str, ...] = ()
    dtype: str = "float32"


class Model(NamedTuple):
    """An architecture and its tensors by fairseq's names, those of ``pairs`` alone."""

    architecture: Architecture
    tensors: dict[str, Tensor]


class Pair(NamedTuple):
    """A tensor's name on both sides, and its shape."""

    fairseq: str
    huggingface: str
    shape: tuple[int, ...]


def _linear(fairseq: str, huggingface: str, size_in: int, size_out: int) -> Iterator[Pair]:
    yield Pair(f"{fairseq}.weight", f"{huggingface}.weight", (size_out, size_in))
    yield Pair(f"{fairseq}.bias", f"{huggingface}.bias", (size_out,))


def _norm(fairseq: str, huggingface: str, dim: int) -> Iterator[Pair]:
    for name in ("weight", "bias"):
        yield Pair(f"{fairseq}.{name}", f"{huggingface}.{name}", (dim,))


def _encoder(size: Architecture) -> Iterator[Pair]:
    dim = size.dim
    ours, theirs = "encoder.sentence_encoder", "roberta.embeddings"
    yield Pair(f"{ours}.embed_tokens.weight", f"{theirs}.word_embeddings.weight", (size.vocabulary, dim))
    yield Pair(f"{ours}.embed_positions.weight", f"{theirs}.position_embeddings.weight", (size.positions + OFFSET, dim))
    yield from _norm(f"{ours}.layernorm_embedding", f"{theirs}.LayerNorm", dim)
    for layer in range(size.layers):
        ours, theirs = f"encoder.sentence_encoder.layers.{layer}", f"roberta.encoder.layer.{layer}"
        for short, long in (("q", "query"), ("k", "key"), ("v", "value")):
            yield from _linear(f"{ours}.self_attn.{short}_proj", f"{theirs}.attention.self.{long}", dim, dim)
        yield from _linear(f"{ours}.self_attn.out_proj", f"{theirs}.attention.output.dense", dim, dim)
        yield from _norm(f"{ours}.self_attn_layer_norm", f"{theirs}.attention.output.LayerNorm", dim)
        yield from _linear(f"{ours}.fc1", f"{theirs}.intermediate.dense", dim, size.ffn_dim)
        yield from _linear(f"{ours}.fc2", f"{theirs}.output.dense", size.ffn_dim, dim)
        yield from _norm(f"{ours}.final_layer_norm", f"{theirs}.output.LayerNorm", dim)


def pairs(size: Architecture) -> Iterator[Pair]:
    """The table: every tensor of an encoder and its head, the tied output layer once, as word embeddings."""
    yield from _encoder(size)
    if size.head == "masked_lm":
        yield from _linear("encoder.lm_head.dense", "lm_head.dense", size.dim, size.dim)
        yield from _norm("encoder.lm_head.layer_norm", "lm_head.layer_norm", size.dim)
        yield Pair("encoder.lm_head.bias", "lm_head.bias", (size.vocabulary,))
        if not size.tied:
            yield Pair("encoder.lm_head.weight", "lm_head.decoder.weight", (size.vocabulary, size.dim))
    elif size.head == "tagger":
        yield from _linear("tagging_head.out_proj", "classifier", size.dim, len(size.labels))
    else:
        yield from _linear(f"classification_heads.{HEAD_NAME}.dense", "classifier.dense", size.dim, size.dim)
        ours = f"classification_heads.{HEAD_NAME}.out_proj"
        yield from _linear(ours, "classifier.out_proj", size.dim, len(size.labels))


def take(where: str, size: Architecture, tensors: dict[str, Tensor], side: str) -> Model:
    """A model of tensors by the names of one side.

    Args:
        where: begins the message of an error.
        side: ``fairseq`` or ``huggingface``, a field of ``Pair``.

    Raises:
        InputError: a tensor is missing, left over, or has another shape or type.
    """
    table, left, taken = list(pairs(size)), set(tensors), {}
    for pair in table:
        name = getattr(pair, side)
        if name not in tensors:
            raise InputError(f"{where}: found no tensor {name}, expected it in {CLASSES[size.head]}; get a whole copy")
        found = tensors[name]
        if tuple(found.shape) != pair.shape or found.dtype != getattr(torch, size.dtype):
            raise InputError(
                f"{where}: found {name} of shape {tuple(found.shape)}, {found.dtype}, expected {pair.shape}, "
                f"torch.{size.dtype}, as the settings say; get settings and weights of one model"
            )
        taken[pair.fairseq] = found
        left.discard(name)
    if left:
        raise InputError(
            f"{where}: found tensor {min(left)}, expected only those of {CLASSES[size.head]}; "
            "convert a model with this head alone"
        )
    return Model(size, taken)


def check(where: str, size: Architecture) -> Architecture:
    """The architecture, if both sides can express it.

    Raises:
        InputError: they cannot.
    """
    for field in fields(size):
        value = getattr(size, field.name)
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if (field.type is int and not (number and isinstance(value, int) and value > 0)) or (
            field.type is float and not (number and 0 <= value <= 1)
        ):
            raise InputError(f"{where}: found {field.name} {value!r}, expected a number that fits; mend the settings")
    if size.dim % size.heads:
        raise InputError(
            f"{where}: found dim {size.dim} and {size.heads} heads, expected a multiple; mend the settings"
        )
    allowed = ("gelu",) if size.head == "masked_lm" else ("gelu", "relu")
    if size.activation not in allowed:
        raise InputError(f"{where}: found activation {size.activation!r}, expected {' or '.join(allowed)}")
    if size.dtype not in DTYPES:
        raise InputError(f"{where}: found weights of type {size.dtype}, expected one of {', '.join(DTYPES)}")
    if size.head != "masked_lm" and not size.labels:
        raise InputError(f"{where}: found no labels, expected those of the {size.head}")
    return size


def fresh_lm_head(size: Architecture) -> dict[str, Tensor]:
    """Weights of BERT's initialisation: normal with deviation 0.02, biases 0 (Devlin et al. 2019)."""
    kind = {"dtype": getattr(torch, size.dtype)}
    dense = torch.randn(size.dim, size.dim, generator=torch.Generator().manual_seed(1)) * 0.02
    return {
        "encoder.lm_head.dense.weight": dense.to(**kind),
        "encoder.lm_head.dense.bias": torch.zeros(size.dim, **kind),
        "encoder.lm_head.layer_norm.weight": torch.ones(size.dim, **kind),
        "encoder.lm_head.layer_norm.bias": torch.zeros(size.dim, **kind),
        "encoder.lm_head.bias": torch.zeros(size.vocabulary, **kind),
    }


def with_rows(model: Model, rows: Iterable[int | Iterable[int]]) -> Model:
    """The model with another vocabulary: new row i is row ``rows[i]``, or the mean of several.

    Word embeddings and output bias (and layer, where it is not tied) change alike.
    """
    rows = [[row] if isinstance(row, int) else list(row) for row in rows]
    sizes = torch.tensor([len(row) for row in rows])
    index = torch.tensor([old for row in rows for old in row])
    owner = torch.repeat_interleave(torch.arange(len(rows)), sizes)
    tensors = dict(model.tensors)
    for pair in pairs(model.architecture):
        if "embed_tokens" not in pair.fairseq and pair.fairseq not in (
            "encoder.lm_head.bias",
            "encoder.lm_head.weight",
        ):
            continue
        old = tensors[pair.fairseq]
        if bool((sizes == 1).all()):
            tensors[pair.fairseq] = old[index]
            continue
        summed = torch.zeros(len(rows), *old.shape[1:]).index_add_(0, owner, old[index].float())
        mean = summed / sizes.view(-1, *[1] * (old.dim() - 1))
        tensors[pair.fairseq] = mean.to(old.dtype)
    return Model(replace(model.architecture, vocabulary=len(rows)), tensors)
