"""Masking: from the tokens of an item to the inputs that the model sees and the targets that it predicts.

The same pass serves MLM, whole-word MLM, TLM and DICT-MLM; its cost does not depend on the size of the vocabulary.
"""

from dataclasses import dataclass

import numpy as np

from fairseq_align.data.translations import Translations

DICT_MODES = ("input", "target", "authors")


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

    ``authors`` is the rule of ALIGN-MLM's authors (https://arxiv.org/abs/2211.08547): the model sees the translation
    where there is one, and the token itself where there is none, both with probability ``dict_rate``. ``input`` shows
    the translations alone: a token without one is masked as in MLM. ``target`` is the method of Chaudhary et al. 2020
    (https://arxiv.org/abs/2010.12566).

    Where whole words are chosen, words and translations of several pieces are treated as well. All pieces of the word
    stay to be predicted, filled up by ``<mask>`` where the translation has fewer. Where the number of positions
    changes, the rest of the item moves, and what then goes beyond its former length is cut from its end::

        inputs   <s> _the _petit _chat <mask> _sleep . </s>    mode input: one piece stands for two
        targets  .   .    _small _cat s       .      . .
        inputs   <s> _the _petit _pomme _de _terre _sleep .    three pieces stand for two
        targets  .   .    _small _po    tato .     .      .
        inputs   <s> _the <mask:fr> _cat s _sleep . </s>       mode target: as many masks as the translation has pieces

    Attributes:
        mask_prob: share of the tokens to predict, in [0, 1]; rounded up or down at random to a whole number.
        random_token_prob, leave_unmasked_prob: shares of these that become a random token and that stay; their sum is
            at most 1.
        mask_idx, pad_idx: ids of ``<mask>`` and ``<pad>``.
        words: first id of an ordinary token, and one more than the last; random tokens are drawn from this range.
        word_starts: ids that begin a word, bool, shape (V,): whole words are chosen, and all pieces of a word become
            the same kind of input; None: pieces are chosen one by one.
        dict_rate: probability that a chosen token with a translation is translated, in [0, 1].
        dict_mode: ``input``, ``target`` or ``authors``.
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
        self,
        tokens: np.ndarray,
        rng: np.random.Generator,
        translations: Translations | None = None,
        shown: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of one item.

        Args:
            tokens: ids, int64, shape (T,); left as it is.
            rng: the only source of randomness.
            translations: of the tokens of the item's language; None: without DICT-MLM.
            shown: tokens that are never predicted, bool, shape (T,); None: there are none but special ones.

        Returns:
            inputs and targets, int64, shape (T,) or, with translations of several pieces, at most that; targets hold
            ``pad_idx`` where nothing is predicted.
        """
        chosen, fate = self._choose(tokens, rng, shown)
        swapped = fate < self.random_token_prob
        masked = fate >= self.random_token_prob + self.leave_unmasked_prob

        targets = np.full_like(tokens, self.pad_idx)
        targets[chosen] = tokens[chosen]
        inputs = tokens.copy()
        inputs[chosen[masked]] = self.mask_idx
        inputs[chosen[swapped]] = rng.integers(*self.words, np.count_nonzero(swapped))
        if translations is not None:
            spans, drawn = [], []
            if self.word_starts is not None and translations.words:
                chosen, spans, drawn = self._draw_words(tokens, chosen, rng, translations)
            self._translate(tokens, chosen, rng, translations, inputs, targets)
            if spans:
                return self._with_words(tokens, spans, drawn, inputs, targets)
        return inputs, targets

    def _choose(
        self, tokens: np.ndarray, rng: np.random.Generator, shown: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions to predict, and for each a number in [0, 1) that decides what its input becomes."""
        low, high = self.words
        candidate = (tokens >= low) & (tokens < high)
        if shown is not None:
            candidate &= ~shown
        ordinary = np.flatnonzero(candidate)
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
        has, treated = translations.has(tokens[chosen]), rng.random(len(chosen)) < self.dict_rate
        translated = chosen[has & treated]
        drawn, masks = translations.draw(tokens[translated], rng)
        if self.dict_mode == "target":
            inputs[translated], targets[translated] = masks, drawn
            return
        inputs[translated] = drawn
        if self.dict_mode == "authors":
            visible = chosen[treated & ~has]
            inputs[visible] = tokens[visible]

    def _draw_words(
        self, tokens: np.ndarray, chosen: np.ndarray, rng: np.random.Generator, translations: Translations
    ) -> tuple[np.ndarray, list[slice], list[tuple[np.ndarray, int]]]:
        """Chosen positions of words without a translation; spans of words to translate, and what was drawn for each."""
        begins = self.word_starts[tokens[chosen]] | (np.diff(chosen, prepend=-2) > 1)
        others, spans, drawn = [], [], []
        for part in np.split(chosen, np.flatnonzero(begins[1:]) + 1) if len(chosen) else []:
            span = slice(int(part[0]), int(part[-1]) + 1)
            options = translations.words.get(tuple(tokens[span].tolist()))
            if options is None:
                others.append(part)
            elif rng.random() < self.dict_rate:
                spans.append(span)
                drawn.append(options[int(rng.random() * len(options))])
        return np.concatenate([chosen[:0], *others]), spans, drawn

    def _with_words(
        self,
        tokens: np.ndarray,
        spans: list[slice],
        drawn: list[tuple[np.ndarray, int]],
        inputs: np.ndarray,
        targets: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets with each span of a word replaced by what was drawn for it."""
        new_inputs, new_targets, at = [], [], 0
        for span, (translation, mask) in zip(spans, drawn, strict=True):
            word, more = tokens[span], len(translation) - (span.stop - span.start)
            if self.dict_mode == "target":
                word_inputs, word_targets = np.full_like(translation, mask), translation
            else:
                word_inputs = np.append(translation, [self.mask_idx] * -more)
                word_targets = np.append(word, [self.pad_idx] * more)
            new_inputs += [inputs[at : span.start], word_inputs]
            new_targets += [targets[at : span.start], word_targets]
            at = span.stop
        joined = (np.concatenate([*new, old[at:]]) for new, old in ((new_inputs, inputs), (new_targets, targets)))
        return tuple(whole[: len(tokens)].astype(np.int64) for whole in joined)
