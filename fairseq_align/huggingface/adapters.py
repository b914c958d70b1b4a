"""Architectures of transformers: one row each, by the ``model_type`` of config.json, and models to and from them.

To add an architecture that fairseq's ``roberta`` can express, write a module as ``bert`` and add its row to
``ADAPTERS``.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from torch import Tensor

from fairseq_align.errors import InputError
from fairseq_align.huggingface import epsilon, forms, tokenizer
from fairseq_align.huggingface.architecture import LAYER_NORM_EPS, Architecture, Model, check, take
from fairseq_align.huggingface.bert import BERT
from fairseq_align.huggingface.xlm_roberta import XLM_ROBERTA

logger = logging.getLogger(__name__)

THEIR_EPS = 1e-12  # of configurations of BERT and XLM-R that do not say
MOST_DIFFERENT = 0.01  # of the length of a state; the cosine of the two is above 0.99995 then


class Tokenizer(NamedTuple):
    """How an architecture spells its tokenizer; see the functions of ``tokenizer``.

    Attributes:
        build: fast tokenizer of a SentencePiece model and a vocabulary.
        config: content of tokenizer_config.json, of the most tokens in a sentence.
        parts: ids and SentencePiece model of a tokenizer.json.
        ids: of the symbols of a SentencePiece model that has no tokenizer.json beside it.
    """

    build: Callable
    config: Callable[[int], dict]
    parts: Callable[[dict, str], tokenizer.Parts]
    ids: Callable[[bytes], dict[str, int]]


class Adapter(NamedTuple):
    """One architecture of transformers beside fairseq's ``roberta``; see the functions of ``forms``.

    Attributes:
        classes: class of transformers for each head of ``architecture.HEADS``.
        to_config: content of config.json of an architecture.
        from_config: architecture of a config.json and its tensors.
        weight_name: name of a tensor in transformers, of its name in fairseq.
        to_weights: adds the tensors that transformers has and fairseq does not.
        from_weights: takes them away.
        tokenizer: its spelling.
    """

    classes: Mapping[str, str]
    to_config: Callable[[Architecture], dict]
    from_config: Callable[[str, dict, dict[str, Tensor]], Architecture]
    weight_name: Callable[[str], str]
    to_weights: Callable[[Architecture, dict[str, Tensor]], dict[str, Tensor]]
    from_weights: Callable[[Architecture, dict[str, Tensor]], dict[str, Tensor]]
    tokenizer: Tokenizer


def _adapter(form: forms.Form) -> Adapter:
    functions = (forms.to_config, forms.from_config, forms.weight_name, forms.to_weights, forms.from_weights)
    spelling = Tokenizer(tokenizer.build, tokenizer.settings, tokenizer.parts, tokenizer.ids)
    return Adapter(form.classes, *(partial(function, form) for function in functions), spelling)


ADAPTERS: dict[str, Adapter] = {form.model_type: _adapter(form) for form in (XLM_ROBERTA, BERT)}


def adapter_of(where: str, model_type: object) -> Adapter:
    """The row of a ``model_type``.

    Raises:
        InputError: there is none.
    """
    if not isinstance(model_type, str) or model_type not in ADAPTERS:
        expected = " or ".join(map(repr, ADAPTERS))
        raise InputError(
            f"{where}: found model_type {model_type!r:.40}, expected {expected}; fairseq's roberta has no other"
        )
    return ADAPTERS[model_type]


def to_huggingface(model: Model, model_type: str) -> tuple[dict, dict[str, Tensor]]:
    """Content of config.json, and contiguous tensors by the names of transformers."""
    adapter = ADAPTERS[model_type]
    tensors = {adapter.weight_name(name): tensor.contiguous() for name, tensor in model.tensors.items()}
    return adapter.to_config(model.architecture), adapter.to_weights(model.architecture, tensors)


def from_huggingface(where: str, config: dict, tensors: dict[str, Tensor]) -> Model:
    """The model of a config.json and its tensors.

    Raises:
        InputError: the settings or tensors are not those of an architecture in ``ADAPTERS``, or fairseq cannot express
            them, or says something else with its epsilon of layer norms.
    """
    adapter = adapter_of(where, config.get("model_type"))
    size = check(where, adapter.from_config(where, config, tensors))
    weights = adapter.from_weights(size, tensors)
    model = take(where, size, weights, adapter.classes[size.head], adapter.weight_name)
    _check_epsilon(where, model, config.get("layer_norm_eps", THEIR_EPS))
    return model


def _check_epsilon(where: str, model: Model, eps: object) -> None:
    if eps == LAYER_NORM_EPS:
        return
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 <= eps < 1:
        raise InputError(f"{where}: found layer_norm_eps {eps!r:.40}, expected {LAYER_NORM_EPS}; mend the settings")
    found = epsilon.difference(model, eps)
    if not found <= MOST_DIFFERENT:
        raise InputError(
            f"{where}: found layer_norm_eps {eps}, expected {LAYER_NORM_EPS}, which is fairseq's and changes states of "
            f"this model by {found:.1%}; train it on with {LAYER_NORM_EPS} first"
        )
    logger.info(
        "layer_norm_eps %s becomes fairseq's %s: no state of %d x %d symbols drawn at random changes by more than %.1e "
        "of its length", eps, LAYER_NORM_EPS, epsilon.SENTENCES, epsilon.TOKENS, found,
    )  # fmt: skip
