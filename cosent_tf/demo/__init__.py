"""The embedded default: sentence pairs and a tiny BERT, made on the spot from a seed.

Nothing of it is used when real data and encoders are given.
"""
