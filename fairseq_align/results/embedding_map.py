"""map.json: word embeddings of translation pairs in a plane, of one model or several: reading and writing it.

An object with ``langs`` (source, target), ``method`` (of ``METHODS``), ``pairs`` (objects with ``source``, ``target``
and ``split``, seen or heldout) and ``panels``, one for each model: its ``name``, ``source`` and ``target`` (the [x, y]
of each pair), ``cosines`` (of each pair, in all dimensions) and ``explained`` (share of the variance that the plane
has, of PCA; null elsewhere).
"""

import json
import math
from pathlib import Path
from typing import NamedTuple

from fairseq_align import files
from fairseq_align.errors import InputError
from fairseq_align.results.metrics import PAIRS

NAME = "map.json"
METHODS = ("pca", "umap")
MOST_BYTES = 1 << 24
MOST_PAIRS, MOST_PANELS = 1000, 16
Point = tuple[float, float]


class Pair(NamedTuple):
    """Two words that translate each other; ``split`` says whether training saw the pair."""

    source: str
    target: str
    split: str


class Panel(NamedTuple):
    """The pairs in one model; see the module."""

    name: str
    source: tuple[Point, ...]
    target: tuple[Point, ...]
    cosines: tuple[float, ...]
    explained: float | None


class EmbeddingMap(NamedTuple):
    """What the file holds; see the module."""

    langs: tuple[str, str]
    method: str
    pairs: tuple[Pair, ...]
    panels: tuple[Panel, ...]


def write(path: str | Path, made: EmbeddingMap) -> None:
    """Write a map; coordinates have six digits."""
    content = {
        "langs": made.langs,
        "method": made.method,
        "pairs": [pair._asdict() for pair in made.pairs],
        "panels": [_rounded(panel._asdict()) for panel in made.panels],
    }
    with files.writing(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _rounded(value):
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, (list, tuple)) else value


def read(path: str | Path) -> EmbeddingMap:
    """Read a map.

    Raises:
        InputError: the file is missing or too large, or is none.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        return _parsed(json.loads(text))
    except OSError as error:
        raise InputError(f"{path}: found {error.strerror}, expected a map of fairseq-align map") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{path}: found {reason:.120}, expected a map of fairseq-align map; make it again with that command"
        ) from error


def _parsed(content: dict) -> EmbeddingMap:
    source, target = map(_text, content["langs"])
    if content["method"] not in METHODS:
        raise ValueError(f"method {content['method']!r:.40}")
    pairs = tuple(Pair(*(_text(pair[name]) for name in Pair._fields)) for pair in content["pairs"][:MOST_PAIRS])
    if not pairs or {pair.split for pair in pairs} - set(PAIRS):
        raise ValueError(f"splits {sorted({pair.split for pair in pairs})}")
    panels = tuple(_panel(panel, len(pairs)) for panel in content["panels"][:MOST_PANELS])
    if not panels:
        raise ValueError("no panels")
    return EmbeddingMap((source, target), content["method"], pairs, panels)


def _panel(content: dict, count: int) -> Panel:
    ends = [tuple((_number(x), _number(y)) for x, y in content[side][:count]) for side in ("source", "target")]
    cosines = tuple(map(_number, content["cosines"][:count]))
    if {*map(len, ends), len(cosines)} != {count}:
        raise ValueError(f"{len(cosines)} cosines and {len(ends[0])} and {len(ends[1])} points for {count} pairs")
    explained = content["explained"]
    return Panel(_text(content["name"]), *ends, cosines, None if explained is None else _number(explained))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r:.40} for a name")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) > 1e6:
        raise ValueError(f"{value!r:.40} for a number")
    return float(value)
