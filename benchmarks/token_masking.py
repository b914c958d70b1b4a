"""Tokens a second of masking, ours and fairseq's, in one process: python -m benchmarks.token_masking

fairseq's is ``MaskTokensDataset``. Items of 512 random tokens, inputs and targets of each made once, as a loader worker
does.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
from fairseq.data import Dictionary, MaskTokensDataset

from benchmarks.common.timing import RESULTS, interleaved, ratio, save
from fairseq_align.data.masking import Masking
from fairseq_align.data.translations import Translations

LENGTH = 512


def make(vocabulary_size: int, items: int):
    """Pieces of work: stock masking, ours, and ours with whole words and DICT-MLM on top."""
    dictionary = Dictionary()
    for number in range(vocabulary_size - dictionary.nspecial):
        dictionary.add_symbol(f"p{number}")
    mask_idx = dictionary.add_symbol("<mask>")
    low, high = dictionary.nspecial, vocabulary_size
    rng = np.random.default_rng(1)
    tokens = rng.integers(low, high, (items, LENGTH))
    tensors = [torch.from_numpy(row) for row in tokens]
    shares = {"mask_prob": 0.15, "random_token_prob": 0.1, "leave_unmasked_prob": 0.1}
    common = {**shares, "mask_idx": mask_idx, "pad_idx": dictionary.pad(), "words": (low, high)}
    plain = Masking(**common)
    full = Masking(**common, word_starts=rng.random(len(dictionary)) < 0.7, dict_rate=0.5)
    table = Translations(((int(a), int(b), mask_idx) for a, b in rng.integers(low, high, (20000, 2))), len(dictionary))
    epoch = iter(range(1, 1 << 30))

    def stock() -> int:
        inputs, targets = MaskTokensDataset.apply_mask(
            tensors, dictionary, dictionary.pad(), mask_idx, seed=1, **shares
        )
        inputs.set_epoch(next(epoch))
        for index in range(items):
            inputs[index], targets[index]
        return items * LENGTH

    def ours(masking, translations) -> int:
        number = next(epoch)
        for index in range(items):
            masking(tokens[index], np.random.default_rng([1, number, index, 0]), translations)
        return items * LENGTH

    return {
        "stock": stock,
        "ours": lambda: ours(plain, None),
        "ours, whole words and DICT-MLM": lambda: ours(full, table),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[4000, 80000, 250000])
    parser.add_argument("--items", type=int, default=200, help="items of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the record (default: %(default)s)")
    args = parser.parse_args()
    rows = []
    print(
        f"{'vocabulary':>10}  {'stock':>10}  {'ours':>10}  {'ratio':>6}  {'whole words and DICT-MLM':>25}  M tokens/s"
    )
    for size in args.vocabularies:
        rates = interleaved(make(size, args.items), args.rounds)
        medians = {name: statistics.median(values) / 1e6 for name, values in rates.items()}
        rows.append({"vocabulary": size, "tokens_per_second": medians, "ratio": ratio(rates, "ours", "stock")})
        stock, ours, full = medians.values()
        print(f"{size:>10,}  {stock:>10.2f}  {ours:>10.2f}  {rows[-1]['ratio']:>6.1f}  {full:>25.2f}")
    save("token_masking", {"items": args.items, "length": LENGTH, "rounds": args.rounds, "rows": rows}, args.results)


if __name__ == "__main__":
    main()
