import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.text.normalise import compose, normalise

MARKS = "\u0301\u0323\u0302\u0651\u064e\u0653\u05bc\u05b0\u093c\u094d\u3099\u0e38\u0e48\x01"
MARKED = st.text(st.sampled_from("ae\u0628\u0627\u05d1\u0928\u304b\u0e01" + MARKS), max_size=12)


@given(st.text(max_size=40) | MARKED)
def test_normalised_text_is_composed_with_single_spaces_and_stays_as_it_is(text):
    clean = normalise(text)
    assert clean == " ".join(clean.split())
    assert normalise(clean) == clean


@given(st.text(max_size=40) | MARKED)
def test_composing_gives_the_same_text_to_unicode(text):
    """Canonically equivalent: what NFC makes of it is the same."""
    text = text.replace("\x01", "")
    assert unicodedata.normalize("NFC", compose(text)) == unicodedata.normalize("NFC", text)


@given(st.text(st.characters(max_codepoint=0x58F) | st.characters(min_codepoint=0x4E00, max_codepoint=0xD7A3)))
def test_latin_greek_cyrillic_chinese_and_korean_text_is_in_nfc(text):
    """The marks of these scripts compose whatever their order, as macOS decomposes Vietnamese."""
    assert unicodedata.is_normalized("NFC", normalise(text))
    assert compose("Vie\u0323\u0302t Vie\u0302\u0323t") == "Vi\u1ec7t Vi\u1ec7t"


def test_the_order_of_marks_that_is_typed_stays():
    """NFC turns shadda and fatha, dagesh and sheva round, and a vowel below and a tone of Thai."""
    for text in (
        "\u0628\u0651\u064e",
        "\u05d1\u05bc\u05b0",
        "\u0628\u064e\u0651",
        "\u05d1\u05b0\u05bc",
        "\u0e01\u0e48\u0e38",
    ):
        assert normalise(text) == text
    assert unicodedata.normalize("NFC", "\u0628\u0651\u064e") == "\u0628\u064e\u0651"
    # what composes still does: alef and madda, then fatha; the nukta of Hindi
    assert normalise("\u0627\u0653\u064e \u0928\u093c") == "\u0622\u064e \u0929"
    assert compose("\ufb01\u0628\u0651\u064e", "NFKC") == "fi\u0628\u0651\u064e"
