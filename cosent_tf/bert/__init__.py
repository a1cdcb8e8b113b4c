"""From a folder of weights to vectors and scores: formats, tokenizer, encoder, the Keras versions.

A folder may also be that of a run. How runs are made is not known here.
"""
