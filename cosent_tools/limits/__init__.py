"""limits.py: the theory of the article, measured on two trained runs, and its picture.

Training and encoding are not here: the runs are loaded through cosent_tf.
"""
