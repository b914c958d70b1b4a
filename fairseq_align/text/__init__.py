"""From raw text to subwords: cleaning, sentences, parallel text, SentencePiece models, ``dict.txt``."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
