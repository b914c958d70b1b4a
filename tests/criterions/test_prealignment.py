"""Alignment before pre-training: words as items, the loss against words one by one, and what a training makes of it."""

import json
import re
from argparse import Namespace

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
    assert not word_items(Pairs(Words.of([[4]]), Words.of([[5]]), torch.ones(1)), dictionary()).padded


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_is_the_mean_over_the_layers_of_that_of_words_alone(kind):
    """Each word by itself, without any padding, in float64."""
    torch.manual_seed(1)
    args = Namespace(encoder_layers=2, encoder_embed_dim=8, encoder_ffn_embed_dim=16, encoder_attention_heads=2)
    args.max_positions = args.tokens_per_sample = 16
    base_architecture(args)
    vocabulary = dictionary()
    encoder = RobertaModel.build_model(args, Namespace(source_dictionary=vocabulary)).encoder.sentence_encoder
    encoder = encoder.double().eval()
    found = prealignment(encoder, word_items(PAIRS, vocabulary), LOSSES[kind]())
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
