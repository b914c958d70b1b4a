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


@pytest.mark.parametrize("normalised", [False, True])
def test_padding_that_is_known_is_not_asked_for(encoder, normalised, monkeypatch):
    ids = torch.full((2, 4), 4)
    ids[0, 2:] = encoder.padding_idx
    if normalised:
        monkeypatch.setitem(vars(encoder), "layer_norm", lambda x: 2 * x)
    each = states(encoder, STOCK, ids)
    with waits.padded(True):
        known = states(encoder, lambda *args, **more: waits.ask_once(STOCK, *args, **more), ids)
    assert torch.equal(known[0], each[0]) and each[2] - known[2] == LAYERS
    whole = torch.full((2, 4), 4)
    with waits.padded(False):
        known = states(encoder, lambda *args, **more: waits.ask_once(STOCK, *args, **more), whole)
    assert torch.equal(known[0], states(encoder, STOCK, whole)[0])


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


class Elsewhere(torch.Tensor):
    """On the device "meta", which stands for a GPU: it is not on the processor either."""

    device = torch.device("meta")


@pytest.fixture
def copies(monkeypatch) -> list:
    """Tensors that have come to the processor from elsewhere."""
    came = []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: came.append(tensor) or tensor.as_subclass(torch.Tensor))
    return came


def elsewhere(value):
    return value.as_subclass(Elsewhere) if torch.is_tensor(value) else value


def test_figures_keep_their_values_types_and_order(copies):
    figures = [torch.tensor(1.5), 2, torch.tensor(3), torch.tensor([4.0]), None, torch.tensor(0.25)]
    away = [elsewhere(value) for value in figures]
    found = waits.on_host(away)
    assert len(copies) == 2  # floats, and integers
    assert [getattr(value, "dtype", None) for value in found] == [getattr(value, "dtype", None) for value in figures]
    assert str(found) == str([torch.tensor(1.5), 2, torch.tensor(3), away[3], None, torch.tensor(0.25)])


def test_figures_of_an_update_come_with_the_norm_and_are_not_fetched_again(copies):
    outputs = [
        {"loss": elsewhere(torch.tensor(2.0)), "ntokens": 3},
        {"loss": elsewhere(torch.tensor(4.0)), "ntokens": 5},
    ]
    trainer = SimpleNamespace(task=SimpleNamespace(logging_outputs=list(outputs)))
    norm = waits.figures_with_norm(lambda *_: waits.norm_on_host(lambda *_: elsewhere(torch.tensor(0.5))), trainer, 1.0)
    assert len(copies) == 2  # the norm, which is waited for, and both losses
    assert (norm.item(), [output["loss"].item() for output in outputs], outputs[1]["ntokens"]) == (0.5, [2.0, 4.0], 5)
    assert not trainer.task.logging_outputs
    waits.log_in_one_copy(lambda *_: None, trainer, outputs, 8, norm)
    assert len(copies) == 2


def test_figures_of_an_update_that_overflows_are_forgotten():
    def overflow(*_):
        raise OverflowError

    trainer = SimpleNamespace(task=SimpleNamespace(logging_outputs=[{"loss": torch.tensor(2.0)}]))
    with pytest.raises(OverflowError):
        waits.figures_with_norm(overflow, trainer, 1.0)
    assert not trainer.task.logging_outputs


def test_what_ranks_have_added_up_comes_in_one_copy(copies):
    added = (
        [{"loss": elsewhere(torch.tensor(2.0)), "ntokens": elsewhere(torch.tensor(6.0))}],
        [elsewhere(torch.tensor(4.0))],
    )
    outputs, totals = waits.totals_on_host(lambda *_: added, None, [], 2)
    assert len(copies) == 1
    assert ({name: value.item() for name, value in outputs[0].items()}, totals) == ({"loss": 2, "ntokens": 6}, [4])


def test_the_log_is_that_of_fairseq():
    logged = []

    def stock(trainer, outputs, sample_size, grad_norm=None):
        logged.append((trainer.cfg.common.log_interval, outputs, sample_size, grad_norm))

    outputs = [{"loss": torch.tensor(2.0), "ntokens": 3}, {}]
    trainer = SimpleNamespace(cfg=OmegaConf.create({"common": {"log_interval": 1}}))
    waits.log_in_one_copy(stock, trainer, outputs, 4.0, torch.tensor(0.5))
    waits.log_in_one_copy(stock, trainer, None, 4.0)
    assert logged == [(1, outputs, 4.0, torch.tensor(0.5)), (1, None, 4.0, None)]
