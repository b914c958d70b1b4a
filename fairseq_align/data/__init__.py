"""fairseq datasets: binarized text in blocks, what is masked in them, parallel sentences, labelled words."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
