"""Labelled data of downstream tasks: readers of their formats, binarization, labels and F1.

``tagging`` binarizes parts of speech (read by ``conllu``) and named entities (read by ``iob2``); ``labels`` owns their
label numbers, spans and F1. ``nli`` reads and binarizes sentence pairs with a class.
"""
