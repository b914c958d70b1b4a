"""Labelled data: treebanks, named entities, inference; their readers, labels and binarized form."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
