"""Gradients added to a table's own: once, whatever became of earlier passes, and through DistributedDataParallel."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from fairseq_align.embeddings.alignment_loss import Blocks, alignment_term
from fairseq_align.embeddings.shared_gradient import add_rows, looked_up
from fairseq_align.lexicon.words import Pairs, Words

# cos(row 0, row 1) = 24/25, cos(row 2, row 3) = 0
TABLE = torch.tensor([[3.0, 4.0], [4.0, 3.0], [1.0, 0.0], [0.0, 2.0]])
PAIRS = Pairs(Words.of([[0], [2]]), Words.of([[1], [3]]), torch.ones(2))


def loss_of(embeddings: nn.Embedding) -> torch.Tensor:
    """A loss that uses the table in three ways: looked up, for alignment, and as a whole."""
    with looked_up(embeddings):
        looked = embeddings(torch.tensor([0, 3])).square().sum()
    return looked + alignment_term(embeddings.weight, Blocks(PAIRS)) + embeddings.weight.square().sum()


def embeddings_with_gradient() -> tuple[nn.Embedding, torch.Tensor]:
    embeddings = nn.Embedding.from_pretrained(TABLE, freeze=False)
    loss_of(embeddings).backward()
    return embeddings, embeddings.weight.grad.clone()


def hooks(table: torch.Tensor) -> int:
    return len(table._post_accumulate_grad_hooks or ())


def test_a_value_that_nobody_uses_adds_nothing_to_the_next_update():
    table = TABLE.clone().requires_grad_()
    alignment_term(table, Blocks(PAIRS))  # an update that is skipped before it goes backward
    table.sum().backward()
    assert torch.equal(table.grad, torch.ones_like(TABLE))
    with torch.no_grad():
        assert not alignment_term(table, Blocks(PAIRS)).requires_grad


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
    loss = alignment_term(embeddings.weight, Blocks(PAIRS)) + looked + broken.sum()
    with pytest.raises(RuntimeError, match="out of memory"):
        loss.backward()
    assert hooks(embeddings.weight) == 2 and embeddings.weight.grad is None
    loss_of(embeddings).backward()
    assert torch.equal(embeddings.weight.grad, expected) and hooks(embeddings.weight) == 0


def test_gradients_of_two_batches_add_up():
    embeddings, expected = embeddings_with_gradient()
    loss_of(embeddings).backward()
    assert torch.allclose(embeddings.weight.grad, 2 * expected)


class OneAfterTheOther(TorchDispatchMode):
    """Adds rows in the precision of the table, as the atomics of CUDA do; a CPU sums some of them in float32."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is not torch.ops.aten.index_add_.default:
            return function(*args, **(kwargs or {}))
        table, _, ids, rows = args
        for row, added in zip(ids.tolist(), rows, strict=True):
            table[row] += added
        return table


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_frequent_word_gets_all_of_its_gradient_in_half(dtype):
    """Each of 4,096 look-ups adds 1; one after the other they come to 2,048 in float16, and to 256 in bfloat16."""
    embeddings = nn.Embedding(3, 2, dtype=dtype)
    with looked_up(embeddings):
        looked = embeddings(torch.cat([torch.full((4096,), 1), torch.tensor([2])]))
    loss = looked.sum() + 0 * embeddings.weight.sum()
    with OneAfterTheOther():
        loss.backward()
    assert embeddings.weight.grad.tolist() == [[0, 0], [4096, 4096], [1, 1]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_piece_of_many_pairs_gets_all_of_its_gradient_in_half(dtype):
    """Word 0 is the source of 512 pairs: the gradient is that of one pair, as the loss is a mean."""
    table = TABLE.to(dtype).requires_grad_()
    many = Pairs(Words.of([[0]] * 512), Words.of([[1]] * 512), torch.ones(512))
    loss = alignment_term(table, Blocks(many)) + 0 * table.sum()
    with OneAfterTheOther():
        loss.backward()
    # cos = 24/25; its derivative by e(s) is (e(t) / |e(t)| - cos e(s) / |e(s)|) / |e(s)|, and the loss is minus that
    expected = torch.tensor([[-0.0448, 0.0336], [0.0336, -0.0448], [0.0, 0.0], [0.0, 0.0]])
    assert torch.allclose(table.grad.float(), expected, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_rows_are_added_to_what_is_there():
    ids = torch.tensor([2, 0, 2, 2])
    rows = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    for dtype in (torch.float16, torch.float32, torch.float64):
        gradient = torch.full((3, 1), 100.0, dtype=dtype)
        add_rows(gradient, ids, rows.to(dtype))
        assert gradient.flatten().tolist() == [102.0, 100.0, 113.0]
