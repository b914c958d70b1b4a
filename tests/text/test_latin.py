"""Words in Latin letters, with and without anyascii."""

import logging
import sys

import pytest

from fairseq_align.text.latin import latin, transliteration


@pytest.fixture(autouse=True)
def asked_anew():
    transliteration.cache_clear()
    yield
    transliteration.cache_clear()


def test_marks_and_capitals_go_and_words_of_latin_letters_need_no_library(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "anyascii", None)  # as where it is not installed
    assert [latin(word) for word in ("Église", "naïve", "e\u0301lan", "İstanbul", "don't", "")] == [
        "eglise", "naive", "elan", "istanbul", "don't", "",
    ]  # fmt: skip
    assert not caplog.records


def test_without_anyascii_other_scripts_stay_and_the_log_says_once_what_brings_it(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "anyascii", None)
    with caplog.at_level(logging.WARNING):
        assert [latin("Москва"), latin("दिल्ली")] == ["москва", "दिल्ली"]
    (record,) = caplog.records
    assert "found no anyascii" in record.message and "EXTRAS=characters bash install.sh" in record.message


def test_anyascii_reads_other_scripts():
    pytest.importorskip("anyascii", reason="waits for anyascii")
    assert latin("Москва") == "moskva" and latin("Ἀθῆναι").startswith("ath") and latin("दिल्ली").startswith("dil")
