"""Questions to the GPU: one about padding a forward pass, one for the figures of an update, with equal results."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.roberta import RobertaEncoder
from fairseq.models.transformer.transformer_encoder import TransformerEncoderBase
from omegaconf import OmegaConf

from fairseq_align.training import waits
from tests.support.waits import Waits

STOCK = TransformerEncoderBase.forward_scriptable
STOCK = getattr(STOCK, "__wrapped__", STOCK)
LAYERS = 5


@pytest.fixture(scope="module")
def encoder():
    from fairseq.models.roberta.model import base_architecture

    args = SimpleNamespace(
        encoder_layers=LAYERS,
        encoder_embed_dim=8,
        encoder_ffn_embed_dim=16,
        encoder_attention_heads=2,
        max_positions=16,
        tokens_per_sample=16,
        untie_weights_roberta=False,
    )
    base_architecture(args)
    dictionary = Dictionary()
    dictionary.add_symbol("a")
    torch.manual_seed(1)
    return RobertaEncoder(args, dictionary).sentence_encoder.train()


def states(encoder, function, ids, **more):
    torch.manual_seed(2)  # of dropout
    with Waits() as found:
        out = function(encoder, ids, **more)
    return out["encoder_out"][0], out["encoder_states"], found.found.total()


@pytest.mark.parametrize("padded", [False, True])
def test_padding_is_asked_for_once_with_the_same_states(encoder, padded):
    ids = torch.full((2, 4), 4)
    ids[0, 2:] = encoder.padding_idx if padded else 4
    once = states(encoder, lambda *args, **more: waits.ask_once(STOCK, *args, **more), ids)
    each = states(encoder, STOCK, ids)
    assert torch.equal(once[0], each[0]) and each[2] - once[2] == LAYERS - 1
    assert len(encoder.layers) == LAYERS and "layers" not in vars(encoder)


def test_states_between_layers_are_kept_where_they_are_asked_for(encoder):
    ids = torch.full((2, 4), 4)
    once = states(encoder, lambda *args, **more: waits.ask_once(STOCK, *args, **more), ids, return_all_hiddens=True)
    assert len(once[1]) == LAYERS + 1


def test_a_layer_that_fails_leaves_the_encoder_as_it_was(encoder):
    def fail(*_, **__):
        raise RuntimeError("out of memory")

    layer = encoder.layers[2]
    layer.forward = fail
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            waits.ask_once(STOCK, encoder, torch.full((2, 4), 4))
    finally:
        del layer.forward
    assert "layers" not in vars(encoder)


def test_figures_keep_their_values_types_and_order(monkeypatch):
    """A tensor on the device "meta" stands for one on a GPU: it is not on the processor either."""
    figures = [torch.tensor(1.5), 2, torch.tensor(3), torch.tensor([4.0]), None, torch.tensor(0.25)]
    copies = []

    class Elsewhere(torch.Tensor):
        device = torch.device("meta")

    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: copies.append(tensor) or tensor.as_subclass(torch.Tensor))
    away = [value.as_subclass(Elsewhere) if torch.is_tensor(value) else value for value in figures]
    found = waits.on_host(away)
    assert len(copies) == 2  # floats, and integers
    assert [getattr(value, "dtype", None) for value in found] == [getattr(value, "dtype", None) for value in figures]
    assert str(found) == str([torch.tensor(1.5), 2, torch.tensor(3), away[3], None, torch.tensor(0.25)])


def test_the_log_is_that_of_fairseq():
    logged = []

    def stock(trainer, outputs, sample_size, grad_norm=None):
        logged.append((trainer.cfg.common.log_interval, outputs, sample_size, grad_norm))

    outputs = [{"loss": torch.tensor(2.0), "ntokens": 3}, {}]
    trainer = SimpleNamespace(cfg=OmegaConf.create({"common": {"log_interval": 1}}))
    waits.log_in_one_copy(stock, trainer, outputs, 4.0, torch.tensor(0.5))
    waits.log_in_one_copy(stock, trainer, None, 4.0)
    assert logged == [(1, outputs, 4.0, torch.tensor(0.5)), (1, None, 4.0, None)]
