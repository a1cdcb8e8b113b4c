"""A training run on disk: its folder, its configuration and state, and how it starts.

How a BERT computes, and what a report makes of its scores, is not known here.
"""
