"""Isomorphism of two embedding spaces, measured without translation pairs: 0 for spaces that differ by a rotation.

Both measures compare the cosines and distances *inside* each language, i.e. what no rotation of one space can change.
"""

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

NEIGHBOURS = 10
ENERGY = 0.9  # share of the eigenvalues' sum that is compared


def eigenvector_similarity(source: np.ndarray, target: np.ndarray, neighbours: int = NEIGHBOURS) -> float:
    """Sum of squared differences of the largest Laplacian eigenvalues of the two graphs of nearest neighbours.

    >>> rng = np.random.default_rng(1)
    >>> vectors = rng.normal(size=(30, 4))
    >>> unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> eigenvector_similarity(unit, unit[:, ::-1])  # a rotation and reflection
    0.0


    Two words are joined if either is one of the other's nearest ``neighbours`` by cosine, ties to the first row. The
    largest k eigenvalues are compared, k the smaller of the two numbers that hold more than 90 % of their sum.

    Args:
        source, target: unit vectors, shapes (S, C) and (T, C), each of at least two words.

    Returns:
        at least 0, unitless; 0 for isomorphic graphs. Grows with the number of words.

    Source: Søgaard, Ruder & Vulić 2018, https://arxiv.org/abs/1805.03620
    """
    first, second = (_laplacian_eigenvalues(vectors, neighbours) for vectors in (source, target))
    k = min(_leading(first), _leading(second))
    return float(((first[:k] - second[:k]) ** 2).sum())


def _laplacian_eigenvalues(vectors: np.ndarray, neighbours: int) -> np.ndarray:
    """Eigenvalues of the graph's Laplacian, float64, descending."""
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(neighbours, len(vectors) - 1)]
    joined = np.zeros_like(cosines)
    np.put_along_axis(joined, nearest, 1, axis=1)
    joined = np.maximum(joined, joined.T)
    return np.linalg.eigvalsh(np.diag(joined.sum(1)) - joined)[::-1]


def _leading(eigenvalues: np.ndarray) -> int:
    """Number of eigenvalues, from the largest on, that make up more than ``ENERGY`` of their sum."""
    return int(np.searchsorted(np.cumsum(eigenvalues), ENERGY * eigenvalues.sum(), side="right")) + 1


def gromov_hausdorff(source: np.ndarray, target: np.ndarray) -> float:
    """Bottleneck distance between the persistence diagrams of the two languages, after Gromov and Hausdorff.

    Vectors are centred and scaled to unit length again. As a radius grows, clusters merge at the heights of a
    single-linkage tree: the persistence diagram of dimension 0, all born at 0. Two such diagrams are matched in
    descending order; a pair costs its difference, or half of its longer bar if both are given up. Half of the figure
    bounds the Gromov-Hausdorff distance from below.

    Args:
        source, target: unit vectors, shapes (S, C) and (T, C), each of at least two words.

    Returns:
        in [0, 2], Euclidean distance; 0 for spaces that differ by a rotation.

    Source: Patra et al. 2019, https://arxiv.org/abs/1908.06625; the bound: Chazal et al. 2009
    """
    first, second = (_merges(vectors) for vectors in (source, target))
    size = max(len(first), len(second))
    first, second = (np.pad(heights, (0, size - len(heights))) for heights in (first, second))
    return float(np.minimum(np.abs(first - second), np.maximum(first, second) / 2).max())


def _merges(vectors: np.ndarray) -> np.ndarray:
    """Distances at which single linkage joins clusters, shape (N - 1,), descending."""
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    return linkage(pdist(unit), "single")[::-1, 2]
