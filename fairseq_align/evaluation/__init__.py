"""Scores of a checkpoint: tasks, alignment of words, retrieval of sentences; the commands that record them."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
