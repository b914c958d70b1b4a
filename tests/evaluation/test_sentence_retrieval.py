"""Retrieval of parallel sentences: vectors by hand, in parts, and the layers that there are."""

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.roberta.model import RobertaModel, base_architecture
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from omegaconf import OmegaConf

from fairseq_align.data import binarized
from fairseq_align.errors import InputError
from fairseq_align.evaluation.sentence_retrieval import accuracy, sentence_vectors

EOS = 2


def test_accuracy_by_hand():
    queries = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    candidates = torch.tensor([[9.0, 1.0], [-5.0, 0.1], [-1.0, -0.1]])
    # query 0 finds 0; query 1 finds 0 (cosine 0.11 against 0.02); query 2 finds 1 (0.9998 against 0.995)
    assert accuracy(queries, candidates) == pytest.approx(1 / 3)
    assert accuracy(queries, 7 * queries) == 1


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    dictionary = Dictionary()
    for number in range(20):
        dictionary.add_symbol(f"w{number}")
    return dictionary


@pytest.fixture(scope="module")
def model(dictionary) -> RobertaModel:
    torch.manual_seed(1)
    sizes = {"encoder_layers": 2, "encoder_embed_dim": 8, "encoder_ffn_embed_dim": 16, "encoder_attention_heads": 2}
    args = OmegaConf.create({**sizes, "max_positions": 6})
    task = MaskedLMTask(OmegaConf.structured(MaskedLMConfig(data="")), dictionary)
    base_architecture(args)
    return RobertaModel.build_model(args, task).eval()


@pytest.fixture(scope="module")
def corpus(dictionary, tmp_path_factory):
    """Sentences of 3, 0 and 12 tokens; the model has 6 positions."""
    prefix = tmp_path_factory.mktemp("corpus") / "test"
    rng = np.random.default_rng(1)
    rows = [np.append(rng.integers(4, 24, size), EOS) for size in (3, 0, 12)]
    with binarized.writer(prefix, len(dictionary)) as out:
        for row in rows:
            out.add(row, np.array([len(row)]))
    return prefix, rows


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_sentence_is_the_mean_of_its_tokens(model, dictionary, corpus, layer):
    prefix, rows = corpus
    vectors = sentence_vectors(model, dictionary, prefix, layer)

    def states(tokens):
        inputs = torch.tensor([[dictionary.bos(), *tokens]])
        return model(inputs, features_only=True, return_all_hiddens=True)[1]["inner_states"][layer][1:, 0]

    assert torch.allclose(vectors[0], states(rows[0])[:3].mean(0), atol=1e-6)
    assert not vectors[1].any()
    parts = [
        states(rows[2][start : start + 5]) for start in (0, 5, 10)
    ]  # positions but <s>; the last part ends in </s>
    assert torch.allclose(vectors[2], torch.cat(parts)[:12].mean(0), atol=1e-6)


def test_a_layer_that_is_not_there_is_named(model, dictionary, corpus):
    with pytest.raises(InputError, match="--layer: found 3, expected 0 .* to 2"):
        sentence_vectors(model, dictionary, corpus[0], 3)
