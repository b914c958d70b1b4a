"""fairseq models: ``roberta_tagger``, RoBERTa with a label for every token."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
