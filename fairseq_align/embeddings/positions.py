"""Position embeddings of an item of two languages: numbered anew in the second, and its language embedding."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairPositions(nn.Module):
    """Learned positions that know where the second language of an item begins: at a ``<s>`` inside of it.

    ``restart`` numbers the positions of the second language from the beginning, as Conneau & Lample 2019 do
    (https://arxiv.org/abs/1901.07291), ``language`` adds one learned vector to each of its tokens::

        tokens      <s> a </s> <s> b </s>
        positions     0 1    2   0 1    2
        language      .  .   .   +  +   +

    Items of one language have no ``<s>`` inside: for them this is the table of positions as it was, to the bit. So the
    checkpoint is one of the same model: the table is shared, and the vector of the second language is its row 0, which
    positions of fairseq and of XLM-R never use. It is trained, saved, exported and read like any other row.

    Args:
        table: learned positions, shape (rows, C); position p, from 0, is row ``p + padding_idx + 1``.
        bos: id of ``<s>``.
    """

    LANGUAGE = 0  # row of the second language

    def __init__(self, table: nn.Embedding, bos: int, restart: bool, language: bool):
        super().__init__()
        self.weight = table.weight
        self.padding_idx = table.padding_idx
        self.max_positions = table.num_embeddings - table.padding_idx - 1
        self.bos, self.restart, self.language = bos, restart, language

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings of the positions of ``tokens``, padded at the end; (B, T) -> (B, T, C)."""
        columns = torch.arange(tokens.size(1), device=tokens.device).expand_as(tokens)
        begins = torch.where(tokens == self.bos, columns, 0).cummax(1).values  # column of the last <s> up to each token
        positions = columns - begins if self.restart else columns
        padding = tokens == self.padding_idx
        rows = (positions + self.padding_idx + 1).masked_fill(padding, self.padding_idx)
        embedded = functional.embedding(rows, self.weight, self.padding_idx)
        if not self.language:
            return embedded
        second = (begins > 0) & ~padding
        return embedded + second.unsqueeze(-1) * self.weight[self.LANGUAGE]
