"""Items for masked language modelling in several languages: blocks, masked, and sampled by language."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fairseq_align.data import word_pairs
from fairseq_align.data.blocks import Blocks
from fairseq_align.data.code_switching import CodeSwitching, Switches
from fairseq_align.data.items import ItemDataset
from fairseq_align.data.sentence_pairs import ParallelItems
from fairseq_align.data.translations import Translations

Items = Blocks | ParallelItems
Masker = Callable[..., tuple[np.ndarray, np.ndarray]]  # as Masking


def repeated(count: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Sample ``wanted`` indices below ``count``: whole passes over all of them, then a random part.

    The random part is drawn without replacement.

    >>> repeated(2, 4, np.random.default_rng(1))
    array([0, 0, 1, 1])

    Returns:
        int64, ascending, shape (wanted,); empty if ``count`` is 0.
    """
    rounds, rest = divmod(int(wanted), int(count)) if count else (0, 0)
    chosen = [np.repeat(np.arange(count), rounds), rng.choice(count, rest, replace=False, shuffle=False)]
    return np.sort(np.concatenate(chosen).astype(np.int64))


def sampled_items(counts: Sequence[int], alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Items of one epoch, with languages sampled by temperature.

    Language l gets a share of the epoch proportional to ``counts[l] ** alpha`` (Conneau & Lample 2019); 1 leaves the
    data as it is. A language that is repeated shows all its items equally often, except for the last, partial pass.

    >>> sampled_items([6, 2], 0.0, np.random.default_rng(1))[-4:]  # 4 items of each language
    array([6, 6, 7, 7])

    Args:
        counts: items of each language.

    Returns:
        indices into the concatenation of the languages, int64, ascending.
    """
    counts = np.asarray(counts, dtype=np.int64)
    if alpha == 1:
        return np.arange(counts.sum())
    share = counts.astype(np.float64) ** alpha * (counts > 0)
    wanted = np.rint(share / share.sum() * counts.sum()).astype(np.int64)
    starts = np.cumsum(counts) - counts
    return np.concatenate(
        [start + repeated(count, want, rng) for start, count, want in zip(starts, counts, wanted, strict=True)]
    )


@dataclass(frozen=True)
class Source:
    """Items of one language, or of a pair of languages.

    Attributes:
        items: blocks of one language or pairs of parallel sentences.
        translations: of the tokens of these items, for DICT-MLM; None: there are none.
        switches: of their words, for code-switching.
        realigned: of the words of the first language, for realignment.
    """

    items: Items
    translations: Translations | None = None
    switches: Switches | None = None
    realigned: Switches | None = None


class MaskedLmDataset(ItemDataset):
    """Masked items of several languages, and of pairs of languages, in one dataset.

    An item is a pure function of (seed, epoch, item of its source, number of times that this came before in the epoch),
    so it does not depend on batches, loader workers or ranks.

    Args:
        languages: blocks of each language.
        masker: makes inputs and targets from the tokens of an item.
        pad_idx: id of ``<pad>``.
        seed: of the masks, the order and the sampling.
        alpha: temperature of language sampling, see ``sampled_items``; 1 for anything that is evaluated.
        parallel: items of translation language modelling.
        parallel_rate: share of the parallel items that an epoch shows, drawn anew each epoch; above 1 they repeat.
        code_switching: how words are replaced in items whose source has ``switches``; None: they are not.
        word_starts: ids that begin a word, bool, shape (V,), by which items whose source has ``realigned`` are searched
            for its words; None: they are not.
    """

    def __init__(
        self,
        languages: Sequence[Source],
        masker: Masker,
        pad_idx: int,
        seed: int,
        alpha: float = 1.0,
        parallel: Sequence[Source] = (),
        parallel_rate: float = 0.0,
        code_switching: CodeSwitching | None = None,
        word_starts: np.ndarray | None = None,
    ):
        super().__init__(pad_idx, pad_idx, seed)
        self.languages, self.parallel = list(languages), list(parallel)
        self.masker = masker
        self.alpha = alpha
        self.parallel_rate = parallel_rate
        self.code_switching = code_switching
        self.word_starts = word_starts
        self.sources = self.languages + self.parallel
        self.starts = np.cumsum([0] + [len(source.items) for source in self.sources])
        self.item_sizes = np.concatenate([source.items.sizes for source in self.sources])
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        """Draw the items of an epoch."""
        super().set_epoch(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        counts = np.diff(self.starts)
        items = [sampled_items(counts[: len(self.languages)], self.alpha, rng)]
        for number in range(len(self.languages), len(self.sources)):
            items.append(
                self.starts[number] + repeated(counts[number], round(self.parallel_rate * counts[number]), rng)
            )
        self.items = np.concatenate(items)
        self.sizes = self.item_sizes[self.items]

    def summary(self) -> Iterator[str]:
        """Items of each source, how many an epoch shows, and what is cut or left out; a line each."""
        shown = np.histogram(self.items, self.starts)[0] if len(self.starts) > 1 else []
        for source, count, start, end in zip(self.sources, shown, self.starts[:-1], self.starts[1:], strict=True):
            items = source.items
            if isinstance(items, ParallelItems):
                names, rest = [Path(prefix).parent.name for prefix in items.prefixes], f"{items.left_out:,} left out"
                kind = f"TLM {':'.join(names)}"
            else:
                kind, rest = Path(items.prefix).parent.name, f"{items.cut:,} sentences cut"
            yield f"{kind}: {end - start:,} items, of which an epoch shows {count:,}; {rest}, at most " + (
                f"{int(items.sizes.max()) if end > start else 0} tokens"
            )

    @property
    def order_seed(self) -> list[int]:
        return [self.seed, self.epoch, len(self)]

    def collater(self, samples: list[dict]) -> dict:
        """As that of ``ItemDataset``; ``predicted`` has where in the flattened batch there is a target, ascending.

        It is an int64 tensor of shape (N,), by which a GPU finds the N tokens to predict without being asked for N.
        ``word_pairs`` are those of ``word_pairs.batched``, if words are realigned.
        """
        batch = super().collater(samples)
        if batch:
            batch["predicted"] = torch.from_numpy(np.flatnonzero(batch["target"].numpy() != self.no_target))
        if batch and self.word_starts is not None:
            batch["word_pairs"] = word_pairs.batched([sample["word_pairs"] for sample in samples])
        return batch

    def __getitem__(self, index: int) -> dict[str, np.ndarray | int]:
        item = self.items[index]
        repeat = index - np.searchsorted(self.items, item)
        number = np.searchsorted(self.starts, item, side="right") - 1
        rng = np.random.default_rng([self.seed, self.epoch, item, repeat])
        source = self.sources[number]
        tokens, shown = source.items[item - self.starts[number]], None
        if self.code_switching and source.switches:
            tokens, shown = self.code_switching(tokens, rng, source.switches)
        inputs, targets = self.masker(tokens, rng, source.translations, shown)
        sample = {"id": index, "inputs": inputs, "targets": targets}
        if self.word_starts is not None:
            words = source.realigned or {}
            sample["word_pairs"] = word_pairs.find(inputs, targets, self.word_starts, words, self.pad_idx)
        return sample
