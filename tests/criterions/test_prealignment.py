"""Alignment before pre-training: words as items, the loss against words one by one, and what a training makes of it."""

import json
import re
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.roberta.model import RobertaModel, base_architecture

from fairseq_align.criterions.prealignment import prealignment, word_items
from fairseq_align.embeddings.alignment_loss import LOSSES, alignment_loss
from fairseq_align.lexicon.words import Pairs, Words
from tests.stress import runs

PAIRS = Pairs(Words.of([[4], [5, 6, 4]]), Words.of([[7, 8], [9]]), torch.tensor([1.0, 3.0]))


def dictionary() -> Dictionary:
    found = Dictionary()
    for number in range(6):
        found.add_symbol(f"w{number}")
    return found


def test_words_become_items():
    items = word_items(PAIRS, dictionary())
    assert (
        items.tokens.tolist() == [[0, 4, 2, 1, 1], [0, 5, 6, 4, 2], [0, 7, 8, 2, 1], [0, 9, 2, 1, 1]] and items.padded
    )
    # places in states of shape (5, 4): position times 4 and the row
    assert list(items.pairs.source.tuples()) == [(4,), (5, 9, 13)]
    assert list(items.pairs.target.tuples()) == [(6, 10), (7,)]
    assert word_items(replace(PAIRS, lexicons=torch.tensor([1, 0])), dictionary()).pairs.lexicons.tolist() == [1, 0]
    assert not word_items(Pairs(Words.of([[4]]), Words.of([[5]]), torch.ones(1)), dictionary()).padded


def encoder_of(dim: int, layers: int, heads: int = 1) -> torch.nn.Module:
    """A RoBERTa's in float64, without dropout."""
    torch.manual_seed(1)
    args = Namespace(encoder_layers=layers, encoder_embed_dim=dim, encoder_ffn_embed_dim=2 * dim)
    args.encoder_attention_heads, args.max_positions, args.tokens_per_sample = heads, 16, 16
    base_architecture(args)
    model = RobertaModel.build_model(args, Namespace(source_dictionary=dictionary()))
    return model.encoder.sentence_encoder.double().eval()


def test_the_loss_by_hand():
    """Layers that add nothing: each normalises (a, -a), which makes it (1, -1), and the last one doubles that."""
    encoder = encoder_of(dim=2, layers=2)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            parameter.fill_(1 if "norm" in name and name.endswith("weight") else 0)
        signs = torch.tensor([1.0, 1, -1, 1, -1, -1])  # of the pieces 4 to 9
        encoder.embed_tokens.weight[4:10] = torch.stack([signs, -signs], dim=1).double()
        encoder.layers[1].final_layer_norm.weight.fill_(2)
    found = prealignment(encoder, word_items(PAIRS, dictionary()), LOSSES["l2"]())
    # (1, -1) and the mean of 7 and 8, 0: 2; (1, -1) / 3, of 5, 6 and 4, and (-1, 1): 2 (4/3)^2 = 32/9, with weight 3;
    # (2 + 32/3) / 4 = 19/6 of the embeddings and of the first layer, four times as much of the second: 6/3 in the mean
    assert found.item() == pytest.approx(19 / 3, rel=1e-4)


MORE = Pairs(Words.of([[4], [5, 6, 4], [8]]), Words.of([[7, 8], [9], [5]]), torch.tensor([1.0, 3.0, 0.5]))


class _Loss(torch.nn.Module):
    """The loss as a function of parameters of an encoder."""

    def __init__(self, kind: str):
        super().__init__()
        self.encoder, self.pair_loss = encoder_of(dim=4, layers=1), LOSSES[kind]()

    def forward(self, some: Pairs) -> torch.Tensor:
        return prealignment(self.encoder, word_items(some, dictionary()), self.pair_loss)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_gradient_is_right(kind):
    loss = _Loss(kind)
    names = ["encoder.embed_tokens.weight", "encoder.embed_positions.weight", "encoder.layers.0.fc1.weight"]
    of = dict(loss.named_parameters())

    def of_parameters(*given):
        return torch.func.functional_call(loss, dict(zip(names, given, strict=True)), (MORE,))

    assert torch.autograd.gradcheck(of_parameters, [of[name].detach().clone().requires_grad_() for name in names])


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_ignores_the_order_of_pairs(kind):
    loss = _Loss(kind)
    assert loss(MORE.take(np.array([2, 0, 1]))).item() == pytest.approx(loss(MORE).item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_is_the_mean_over_the_layers_of_that_of_words_alone(kind):
    """Each word by itself, without any padding, in float64."""
    encoder = encoder_of(dim=8, layers=2, heads=2)
    found = prealignment(encoder, word_items(PAIRS, dictionary()), LOSSES[kind]())
    losses = []
    for layer in range(3):
        vectors = []
        for word in [*PAIRS.source.tuples(), *PAIRS.target.tuples()]:
            states = encoder(torch.tensor([[0, *word, 2]]), return_all_hiddens=True)["encoder_states"][layer]
            vectors.append(states[1:-1, 0].mean(0))
        rows = Pairs(Words.of([[0], [1]]), Words.of([[2], [3]]), PAIRS.weights)
        losses.append(alignment_loss(torch.stack(vectors), rows, LOSSES[kind]()).item())
    assert found.item() == pytest.approx(sum(losses) / 3, rel=1e-9)


@pytest.mark.forks
def test_it_comes_first_and_brings_words_together(tmp_path):
    data = runs.write_data(tmp_path / "data")
    cfg = runs.settings(data, "--prealign-updates", 20, "--align-loss", "cosine")
    assert runs.finish(cfg, tmp_path / "run", 24) == 0, runs.log_of(tmp_path / "run").read_text()
    lines = re.findall(r"train_inner[ |:]+(\{.*\})", runs.log_of(tmp_path / "run").read_text())
    losses = [json.loads(line).get("prealign_loss") for line in lines]
    assert all(losses[:20]) and not any(losses[20:])
    assert float(losses[19]) < float(losses[0]) - 0.2


@pytest.mark.forks
def test_too_many_words_are_refused(tmp_path, monkeypatch):
    from fairseq_align.criterions import align_mlm

    monkeypatch.setattr(align_mlm, "MOST_WORD_ITEMS", 7)
    data = runs.write_data(tmp_path / "data")
    assert runs.finish(runs.settings(data, "--prealign-updates", 2), tmp_path / "run", 2) == 1
    last = runs.log_of(tmp_path / "run").read_text().splitlines()[-1]
    assert "found --prealign-updates and 8 pairs whose words go through the encoder, expected at most 7" in last
