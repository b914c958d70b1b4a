"""fairseq tasks: ``align_mlm``, pre-training on several languages, and ``sequence_tagging``, a label for every word."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
