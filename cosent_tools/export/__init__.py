"""export.py: what an exported folder says of itself, and what it needs beside the model.

Formats of weights are in cosent_tf.bert.
"""
