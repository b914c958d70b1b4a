"""Spearman's rank correlation of a few points, with an interval and a p-value."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 9999
LEAST = 4  # points; with fewer no interval means anything


class Correlation(NamedTuple):
    """Spearman's rho of ``n`` points.

    Attributes:
        rho: in [-1, 1]; tied values share their mean rank.
        low, high: 95 % interval from a bootstrap over points (percentiles; resamples without spread have no rho and are
            left out).
        p: two-sided p-value from permutations of one side; exact for up to 7 points.
    """

    rho: float
    low: float
    high: float
    p: float
    n: int

    def __str__(self) -> str:
        return f"ρ = {self.rho:.3f} [{self.low:.2f}, {self.high:.2f}], p = {self.p:.2g}, n = {self.n}"


def spearman(x: Sequence[float], y: Sequence[float]) -> Correlation | None:
    """Correlation of two lists of n values; None for fewer than ``LEAST`` points or where all x or all y are equal.

    Example:
        >>> round(spearman([1, 2, 3, 4], [10, 20, 40, 30]).rho, 3)
        0.8
    """
    from scipy import stats  # slow to import, and most reports have too few points

    x, y = (np.asarray(values, dtype=np.float64) for values in (x, y))
    if len(x) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    tested = stats.permutation_test(
        (x,), lambda x, axis: _rho(x, y), permutation_type="pairings", vectorized=True, n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of scipy, about resamples without spread
        resampled = stats.bootstrap(
            (x, y), _rho, paired=True, vectorized=True, n_resamples=RESAMPLES, method="percentile",
            rng=np.random.default_rng(0),
        )  # fmt: skip
    low, high = np.nanquantile(resampled.bootstrap_distribution, [0.025, 0.975])
    return Correlation(float(tested.statistic), float(low), float(high), float(tested.pvalue), len(x))


def _rho(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson's correlation of mean ranks along the last axis; nan where one side has no spread."""
    from scipy import stats

    x, y = (stats.rankdata(values, axis=-1) for values in (x, y))
    x, y = (values - values.mean(-1, keepdims=True) for values in (x, y))
    spread = np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return np.divide((x * y).sum(-1), spread, out=np.full(spread.shape, np.nan), where=spread > 0)
