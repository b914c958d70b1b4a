"""The record of a derived language, ``derivation.json``: what was done to the source, enough to do it to other data.

{"source": "en", "transforms": ["transliterate", "invert"], "unit": "word", "seed": 1, "source_pieces": 40000,
 "pieces": 80000, "dictionary": "52f1c0a8d3e7", "overlap": 0.0, "sentencepiece": "9b01d2c4e6f8"}
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fairseq_align.derivation.transforms import TRANSFORMS
from fairseq_align.errors import InputError, reason_of
from fairseq_align.files import read_json, writing

RECORD = "derivation.json"
MOST = 1 << 16  # bytes of the file
MOST_PIECES = 1 << 24  # of a vocabulary; a table of ids takes 8 bytes for each
UNITS = ("word", "subword")
# types of these fields; the others have plain annotations
KINDS = {"transforms": tuple, "overlap": (int, float), "sentencepiece": str | None}


def check(transforms: Sequence[str], unit: str, overlap: float) -> None:
    """Raise ``InputError`` unless these are settings of a derivation: see ``Derivation``."""
    if not 0 <= overlap <= 1:
        raise InputError(f"found overlap {overlap}, expected a fraction of the vocabulary in [0, 1]")
    if not transforms or unit not in UNITS or any(name not in TRANSFORMS for name in transforms):
        raise InputError(
            f"found transforms {','.join(transforms) or 'none'} and unit {unit}, "
            f"expected transforms out of {', '.join(TRANSFORMS)} and unit {' or '.join(UNITS)}"
        )


@dataclass(frozen=True)
class Derivation:
    """What was done to a language, enough to do it again to other data of the same vocabulary.

    Attributes:
        source: name of the source language.
        transforms: names in ``transforms.TRANSFORMS``, applied in this order.
        unit: what transforms of the order move, ``word`` or ``subword``.
        seed: of everything drawn at random.
        overlap: fraction of the pieces that ``transliterate`` leaves in the source script, drawn at random, in [0, 1].
        source_pieces: number of pieces of the vocabulary before derivation; ``transliterate`` adds it to an id.
        pieces: number of pieces of the vocabulary after derivation.
        dictionary: ``vocabulary.checksum`` of dict.txt before derivation.
        sentencepiece: checksum of the SentencePiece model beside dict.txt; None: there was none, or the record is of
            a version that did not look.

    Raises:
        InputError: see ``check``.

    Example:
        >>> record = Derivation("en", ("transliterate", "invert"), "word", 1, 3, 6, "52f1c0a8d3e7")
        >>> record.save("derivation.json")
        >>> Derivation.load("derivation.json") == record
        True
    """

    source: str
    transforms: tuple[str, ...]
    unit: str
    seed: int
    source_pieces: int
    pieces: int
    dictionary: str
    overlap: float = 0.0
    sentencepiece: str | None = None

    def __post_init__(self):
        check(self.transforms, self.unit, self.overlap)

    def save(self, path: str | Path) -> None:
        """Write the record as JSON; the file appears under its name only when it is complete."""
        with writing(path) as file:
            known = {name: value for name, value in asdict(self).items() if value is not None}
            file.write(json.dumps(known, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Derivation":
        """Read a record.

        Raises:
            InputError: the file is missing, no JSON object, or has other fields or values than a ``Derivation``.
        """
        advice = "expected the record that fairseq-align derive writes beside its data; derive the language again"
        content = read_json(path, advice.removeprefix("expected "), MOST)
        try:
            derivation = cls(**{**content, "transforms": tuple(content["transforms"])})
            for field in fields(cls):
                value, kind = getattr(derivation, field.name), KINDS.get(field.name, field.type)
                if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and value < 0):
                    raise ValueError(f"{field.name} {value!r:.40}")
            for name in ("source_pieces", "pieces"):
                if getattr(derivation, name) > MOST_PIECES:
                    raise ValueError(f"{name} {getattr(derivation, name)!r:.40}")
            return derivation
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path}: found {reason_of(error)}, {advice}") from error
