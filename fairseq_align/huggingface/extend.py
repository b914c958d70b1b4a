"""The vocabulary of a pre-trained model, extended by pieces of another language."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from fairseq_align.errors import InputError
from fairseq_align.files import read_lines
from fairseq_align.huggingface import tokenizer
from fairseq_align.huggingface.architecture import with_rows
from fairseq_align.huggingface.pretrained import Pretrained, processor_of
from fairseq_align.lexicon import formats
from fairseq_align.text import subword, vocabulary

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

logger = logging.getLogger(__name__)


def extend(old: Pretrained, pieces_path: Path, lexicon_path: Path | None = None) -> Pretrained:
    """Add pieces to the vocabulary, after those of the SentencePiece model.

    The row of a new piece starts as the mean of the rows of its translations' pieces, if the dictionary has it, else of
    the pieces that it was segmented into before, else (it has an unknown character) of all pieces.

    Args:
        pieces_path: one piece a line, the first of a word with U+2581.
        lexicon_path: bilingual dictionary in any form of ``lexicon.formats``, of new pieces, with or without their
            U+2581, and words that the model knows; None: none.

    Raises:
        InputError: a piece cannot be one, or the vocabulary has derived pieces.
    """
    if vocabulary.derived_size(old.dictionary) is not None:
        raise InputError(
            f"{pieces_path}: found a vocabulary with derived pieces, expected none; extend before deriving"
        )
    new = [line for _, line in read_lines(pieces_path) if line]
    extension = tokenizer.extend(old.pieces, new, str(pieces_path))
    processor, dictionary = processor_of(old.pieces), old.dictionary
    translations = _translations(lexicon_path, processor) if lexicon_path else {}
    end = dictionary.nspecial + len(subword.pieces(processor))
    rows: list = list(range(end))
    counts = dict.fromkeys(("translations", "old pieces", "all pieces"), 0)
    for piece in new:
        starts = {
            "translations": translations.get(piece.removeprefix(vocabulary.WORD_START), ()),
            "old pieces": extension.old[piece],
            "all pieces": dictionary.symbols[dictionary.nspecial : end],
        }
        kind = next(kind for kind, pieces in starts.items() if pieces)
        counts[kind] += 1
        rows.append([dictionary.index(piece) for piece in starts[kind]])
    logger.info("%s: %d pieces; they start as the mean of: %s", pieces_path, len(new), counts)
    extended = vocabulary.head(dictionary, end - dictionary.nspecial)
    for symbol in (*new, *dictionary.symbols[end:]):
        extended.add_symbol(symbol)
    rows += range(end, old.model.architecture.vocabulary)
    return Pretrained(with_rows(old.model, rows), extended, extension.model)


def _translations(path: Path, processor: SentencePieceProcessor) -> dict[str, list[str]]:
    """Known pieces of the translations of each word of a dictionary, which is without its U+2581."""
    translations = defaultdict(list)
    for pair in formats.read(path):
        pieces = (piece for word in subword.encode_words(processor, pair.target.split()) for piece in word)
        word = pair.source.removeprefix(vocabulary.WORD_START)
        translations[word] += [piece for piece in pieces if piece != subword.UNKNOWN]
    return translations
