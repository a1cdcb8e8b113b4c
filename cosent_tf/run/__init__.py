"""A training run on disk and on devices: its folder, start and checkpoints; who computes what.

How a BERT computes, and what a report makes of its scores, is not known here.
"""
