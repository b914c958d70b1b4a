"""Shapes of the models that are timed, and what their steps compute."""

MASKED = 0.15
CELL = 500_000 * 128 * 512  # tokens of a cell of the paper's grid: updates, items and length of Tang et al. 2022
SPECIAL = 5  # <s>, <pad>, </s>, <unk> and <mask> stand in a vocabulary beside its pieces
SHAPES = {  # layers, dimension, heads, words
    "tiny": (2, 32, 2, 200),
    "small": (2, 256, 4, 8000),
    "paper": (8, 512, 8, 80000),
    "xlmr": (12, 768, 12, 250000),
}


def forward_flop(shape: str, tokens: int) -> float:
    """FLOP of a forward pass, a token; ``tokens`` are in an item."""
    layers, dim, _, words = SHAPES[shape]
    return layers * (2 * 12 * dim**2 + 4 * tokens * dim) + MASKED * 2 * dim * (words + dim)
