"""Positions of an item of two languages."""

import torch
from fairseq.modules import LearnedPositionalEmbedding
from fairseq.modules.transformer_sentence_encoder import init_bert_params

from fairseq_align.embeddings.positions import PairPositions

BOS, PAD = 0, 1
PAIRS = torch.tensor([[0, 5, 6, 2, 0, 7, 2, PAD], [0, 5, 2, 0, 6, 7, 8, 2], [0, 5, 5, 5, 5, 5, 5, 2]])


def table() -> LearnedPositionalEmbedding:
    torch.manual_seed(1)
    positions = LearnedPositionalEmbedding(8 + PAD + 1, 4, PAD)
    init_bert_params(positions)
    return positions


def test_the_second_language_has_positions_of_its_own_and_a_vector():
    stock = table()
    rows = stock.weight[torch.tensor([[2, 3, 4, 5, 2, 3, 4, 1], [2, 3, 4, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7, 8, 9]])]
    assert torch.equal(PairPositions(stock, BOS, restart=True, language=False)(PAIRS), rows)
    second = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1, 1], [0] * 8]).unsqueeze(-1)
    found = PairPositions(stock, BOS, restart=True, language=True)(PAIRS)
    assert torch.equal(found, rows + second * stock.weight[0])
    assert torch.equal(PairPositions(stock, BOS, False, True)(PAIRS), stock(PAIRS) + second * stock.weight[0])
    found.sum().backward()
    assert stock.weight.grad[0].tolist() == [8.0] * 4  # the vector is learnt: row 0, which no position has


def test_one_language_has_the_positions_it_had():
    stock = table()
    tokens = torch.tensor([[0, 5, 6, 7, 2], [0, 5, 2, PAD, PAD], [4, 5, 6, 7, 8]])
    for restart, language in ((True, True), (True, False), (False, True)):
        assert torch.equal(PairPositions(stock, BOS, restart, language)(tokens), stock(tokens))
    ours = PairPositions(stock, BOS, True, True)
    assert ours.state_dict().keys() == stock.state_dict().keys() and ours.max_positions == stock.max_positions == 8
