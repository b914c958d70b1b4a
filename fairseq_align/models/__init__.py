"""fairseq models: RoBERTa with a head for labels of words."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
