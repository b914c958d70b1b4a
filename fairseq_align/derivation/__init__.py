"""Derived languages: the record of what was done, transforms of sentences, dependency-order models."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
