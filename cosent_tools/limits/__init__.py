"""limits.py: the theory of the article, measured on two trained runs, and its picture.

Training and encoding are in cosent_tf, which loads the runs.
"""
