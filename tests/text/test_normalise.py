import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fairseq_align.text.normalise import normalise


@given(st.text(max_size=40))
def test_normalised_text_is_nfc_with_single_spaces_and_stays_as_it_is(text):
    clean = normalise(text)
    assert unicodedata.is_normalized("NFC", clean)
    assert clean == " ".join(clean.split())
    assert normalise(clean) == clean
