"""fairseq tasks: ``align_mlm``, pre-training on several languages; ``sequence_tagging``, a label for every word;
``sentence_classification``, one for every sentence or pair of sentences.
"""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
