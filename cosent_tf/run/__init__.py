"""A training run on disk and on devices: its folder, its start, what is saved, who computes what.

What is trained and how it is measured is not known here.
"""
