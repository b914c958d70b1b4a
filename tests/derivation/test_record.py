"""The record of a derived language: written, read back, and refused."""

import pytest

from fairseq_align.derivation.record import Derivation
from fairseq_align.errors import InputError
from tests.support.toy_pieces import plan


def test_a_record_is_written_and_read_back(tmp_path):
    record = plan("permute", "transliterate", unit="subword", seed=7, overlap=0.25)
    record.save(tmp_path / "derivation.json")
    assert Derivation.load(tmp_path / "derivation.json") == record


def test_unknown_transforms_are_named():
    with pytest.raises(InputError, match="mirror.*expected transforms out of transliterate"):
        Derivation("en", ("mirror",), "word", 1, 1, 1, "")


@pytest.mark.parametrize(("overlap", "unit"), [(1.5, "word"), (-0.1, "word"), (0.5, "letter")])
def test_settings_out_of_range_are_refused(overlap, unit):
    with pytest.raises(InputError, match=f"found .*{overlap if unit == 'word' else unit}"):
        plan("invert", overlap=overlap, unit=unit)
