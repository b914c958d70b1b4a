"""Masking: from the tokens of an item to the inputs that the model sees and the targets that it predicts.

The same pass serves MLM, whole-word MLM, TLM and DICT-MLM; its cost does not depend on the size of the vocabulary.
"""

from dataclasses import dataclass

import numpy as np

from fairseq_align.data.translations import Translations

DICT_MODES = ("input", "target")


@dataclass(frozen=True)
class Masking:
    """BERT's masking (Devlin et al. 2019) with the distribution of fairseq's ``MaskTokensDataset``, and DICT-MLM's.

    A share ``mask_prob`` of the ordinary tokens of an item is predicted. In the input most of these become ``<mask>``,
    some become a random token and some stay. Special tokens are never chosen and never drawn. A masked row::

        tokens   <s> _the _small _cat s _sleep . </s>
        inputs   <s> _the <mask> _cat s _sleep . </s>
        targets  .   .    _small .    . .      . .       (. is the padding symbol)

    With translations, a chosen token that has one is translated with probability ``dict_rate``::

        inputs   <s> _the _petit _cat s _sleep . </s>    mode input: its input becomes the translation
        targets  .   .    _small .    . .      . .
        inputs   <s> _the <mask:fr> _cat s _sleep . </s>    mode target: its target does, its input is a mask of French
        targets  .   .    _petit    .    . .      . .

    ``input`` follows ALIGN-MLM's authors (https://arxiv.org/abs/2211.08547) for words with a translation; their code
    leaves half of all chosen words visible, here those without a translation are masked as in MLM. ``target`` is the
    method of Chaudhary et al. 2020 (https://arxiv.org/abs/2010.12566).

    Attributes:
        mask_prob: share of the tokens to predict, in [0, 1]; rounded up or down at random to a whole number.
        random_token_prob, leave_unmasked_prob: shares of these that become a random token and that stay; their sum is
            at most 1.
        mask_idx, pad_idx: ids of ``<mask>`` and ``<pad>``.
        words: first id of an ordinary token, and one more than the last; random tokens are drawn from this range.
        word_starts: ids that begin a word, bool, shape (V,): whole words are chosen, and all pieces of a word become
            the same kind of input; None: pieces are chosen one by one.
        dict_rate: probability that a chosen token with a translation is translated, in [0, 1].
        dict_mode: ``input`` or ``target``.
    """

    mask_prob: float
    random_token_prob: float
    leave_unmasked_prob: float
    mask_idx: int
    pad_idx: int
    words: tuple[int, int]
    word_starts: np.ndarray | None = None
    dict_rate: float = 0.0
    dict_mode: str = "input"

    def __call__(
        self, tokens: np.ndarray, rng: np.random.Generator, translations: Translations | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of one item.

        Args:
            tokens: ids, int64, shape (T,); left as it is.
            rng: the only source of randomness.
            translations: of the tokens of the item's language; None: without DICT-MLM.

        Returns:
            inputs and targets, int64, shape (T,); targets hold ``pad_idx`` where nothing is predicted.
        """
        chosen, fate = self._choose(tokens, rng)
        swapped = fate < self.random_token_prob
        masked = fate >= self.random_token_prob + self.leave_unmasked_prob

        targets = np.full_like(tokens, self.pad_idx)
        targets[chosen] = tokens[chosen]
        inputs = tokens.copy()
        inputs[chosen[masked]] = self.mask_idx
        inputs[chosen[swapped]] = rng.integers(*self.words, np.count_nonzero(swapped))
        if translations is not None:
            self._translate(tokens, chosen, rng, translations, inputs, targets)
        return inputs, targets

    def _choose(self, tokens: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Positions to predict, and for each a number in [0, 1) that decides what its input becomes."""
        low, high = self.words
        ordinary = np.flatnonzero((tokens >= low) & (tokens < high))
        if self.word_starts is None:
            chosen = ordinary[self._draw(len(ordinary), rng)]
            return chosen, rng.random(len(chosen))
        # a word begins where its first piece does, and after a special token
        begins = self.word_starts[tokens[ordinary]] | (np.diff(ordinary, prepend=-2) > 1)
        word = np.cumsum(begins) - 1
        words = np.count_nonzero(begins)
        fates = np.full(words, np.inf)
        drawn = self._draw(words, rng)
        fates[drawn] = rng.random(len(drawn))
        fate = fates[word]
        taken = np.isfinite(fate)
        return ordinary[taken], fate[taken]

    def _draw(self, candidates: int, rng: np.random.Generator) -> np.ndarray:
        """Sample a share ``mask_prob`` of the numbers below ``candidates``, without replacement; in no set order."""
        count = min(int(self.mask_prob * candidates + rng.random()), candidates)
        return rng.choice(candidates, count, replace=False, shuffle=False)

    def _translate(
        self,
        tokens: np.ndarray,
        chosen: np.ndarray,
        rng: np.random.Generator,
        translations: Translations,
        inputs: np.ndarray,
        targets: np.ndarray,
    ) -> None:
        """Translate some of the chosen positions, in place."""
        translated = chosen[translations.has(tokens[chosen]) & (rng.random(len(chosen)) < self.dict_rate)]
        drawn, masks = translations.draw(tokens[translated], rng)
        if self.dict_mode == "input":
            inputs[translated] = drawn
        else:
            inputs[translated], targets[translated] = masks, drawn
