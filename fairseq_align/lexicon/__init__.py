"""Bilingual dictionaries: the lexicon file, the formats that it is made from, its words as token ids, its coverage."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
