"""Gradients added to a table's own: once, whatever became of earlier passes, and through DistributedDataParallel."""

import pytest
import torch
from torch import nn

from fairseq_align.embeddings.alignment_loss import alignment_term
from fairseq_align.embeddings.shared_gradient import looked_up
from fairseq_align.lexicon.words import Pairs, Words

# cos(row 0, row 1) = 24/25, cos(row 2, row 3) = 0
TABLE = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
PAIRS = Pairs(Words.of([[0], [2]]), Words.of([[1], [3]]), torch.ones(2))


def loss_of(embeddings: nn.Embedding) -> torch.Tensor:
    """A loss that uses the table in three ways: looked up, for alignment, and as a whole."""
    with looked_up(embeddings):
        looked = embeddings(torch.tensor([0, 3])).square().sum()
    return looked + alignment_term(embeddings.weight, PAIRS) + embeddings.weight.square().sum()


def embeddings_with_gradient() -> tuple[nn.Embedding, torch.Tensor]:
    embeddings = nn.Embedding.from_pretrained(TABLE, freeze=False)
    loss_of(embeddings).backward()
    return embeddings, embeddings.weight.grad.clone()


def hooks(table: torch.Tensor) -> int:
    return len(table._post_accumulate_grad_hooks or ())


def test_a_value_that_nobody_uses_adds_nothing_to_the_next_update():
    table = TABLE.clone().requires_grad_()
    alignment_term(table, PAIRS)  # an update that is skipped before it goes backward
    table.sum().backward()
    assert torch.equal(table.grad, torch.ones_like(TABLE))
    with torch.no_grad():
        assert not alignment_term(table, PAIRS).requires_grad


def test_forward_passes_without_a_backward_pass_leave_no_hook():
    embeddings, _ = embeddings_with_gradient()
    for _ in range(3):
        loss_of(embeddings)
    assert hooks(embeddings.weight) == 0
    kept = [loss_of(embeddings) for _ in range(3)]
    assert hooks(embeddings.weight) == 2 * len(kept)


def test_a_backward_pass_that_breaks_off_adds_nothing_to_the_next_update():
    """As when a batch runs out of memory: its alignment gradient was there, and the table's own was not."""
    embeddings, expected = embeddings_with_gradient()
    embeddings.weight.grad = None

    def out_of_memory(gradient):
        raise RuntimeError("out of memory")

    broken = embeddings.weight * 1
    broken.register_hook(out_of_memory)
    with looked_up(embeddings):
        looked = embeddings(torch.tensor([0, 3])).square().sum()
    # the graph stays alive, as an interpreter that shows the traceback keeps it
    loss = alignment_term(embeddings.weight, PAIRS) + looked + broken.sum()
    with pytest.raises(RuntimeError, match="out of memory"):
        loss.backward()
    assert hooks(embeddings.weight) == 2 and embeddings.weight.grad is None
    loss_of(embeddings).backward()
    assert torch.equal(embeddings.weight.grad, expected) and hooks(embeddings.weight) == 0


def test_gradients_of_two_batches_add_up():
    embeddings, expected = embeddings_with_gradient()
    loss_of(embeddings).backward()
    assert torch.allclose(embeddings.weight.grad, 2 * expected)
