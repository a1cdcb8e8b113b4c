"""export.py: what an exported folder says of itself.

Formats of weights are in cosent_tf.bert.
"""
