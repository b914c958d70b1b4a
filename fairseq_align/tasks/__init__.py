"""fairseq tasks: masked language modelling in several languages, and tagging."""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
