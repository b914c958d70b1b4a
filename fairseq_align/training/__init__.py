"""What keeps a run of ``fairseq-train`` alive and exact: checkpoints, signals, errors, ranks, precision."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
