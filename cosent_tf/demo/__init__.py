"""The embedded default: sentence pairs and a tiny BERT, generated from a seed."""
