"""fairseq datasets: binarized corpora, and the items that tasks make of them.

binarized (a .bin / .idx pair) -> blocks, sentence_pairs (tokens of an item) -> masking -> masked_lm (a dataset)
binarized with labels -> tagging (a dataset)
"""

import fairseq  # noqa: F401   registers the plugin, before a module of this room is half imported
