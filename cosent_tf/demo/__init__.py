"""The embedded default: sentence pairs and a small BERT, made on the spot from a seed.

Nothing of it is used when real data and encoders are given.
"""
