"""fairseq criterions: the masked-LM loss with the alignment term, and the loss of a tagger."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
