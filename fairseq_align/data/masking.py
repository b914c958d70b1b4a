"""Masking: from the tokens of an item to the input that the model sees and the target that it predicts."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Masking:
    """BERT's masking (Devlin et al. 2019), as fairseq's ``MaskTokensDataset`` distributes it.

    Of the ordinary tokens of an item a share of ``mask_prob`` is predicted; of these, in the input, most become
    ``<mask>``, some a random token and some stay. Special tokens are never chosen and never drawn. A masked row::

        tokens   <s> _the _small _cat s _sleep . </s>
        inputs   <s> _the <mask> _cat s _sleep . </s>
        targets  .   .    _small .    . .      . .       (. is the padding symbol)

    Attributes:
        mask_prob: share of the tokens to predict, in [0, 1]; rounded up or down at random to a whole number.
        random_token_prob, leave_unmasked_prob: share of these that become a random token and that stay, sum at most 1.
        mask_idx, pad_idx: ids of ``<mask>`` and ``<pad>``.
        words: first id of an ordinary token, and one more than the last; random tokens are drawn from this range.
    """

    mask_prob: float
    random_token_prob: float
    leave_unmasked_prob: float
    mask_idx: int
    pad_idx: int
    words: tuple[int, int]

    def __call__(self, tokens: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of one item.

        Args:
            tokens: ids, int64, shape (T,); left as it is.
            rng: where everything random comes from.

        Returns:
            inputs and targets, int64, shape (T,); targets hold ``pad_idx`` where nothing is predicted.
        """
        low, high = self.words
        ordinary = np.flatnonzero((tokens >= low) & (tokens < high))
        count = min(int(self.mask_prob * len(ordinary) + rng.random()), len(ordinary))
        chosen = ordinary[rng.choice(len(ordinary), count, replace=False, shuffle=False)]
        fate = rng.random(count)
        swapped = fate < self.random_token_prob
        masked = fate >= self.random_token_prob + self.leave_unmasked_prob

        targets = np.full_like(tokens, self.pad_idx)
        targets[chosen] = tokens[chosen]
        inputs = tokens.copy()
        inputs[chosen[masked]] = self.mask_idx
        inputs[chosen[swapped]] = rng.integers(low, high, np.count_nonzero(swapped))
        return inputs, targets
