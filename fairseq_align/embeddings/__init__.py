"""Word embeddings: the alignment loss, how words are pooled from pieces, retrieval, likeness in shape."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
