"""A training run on disk: its start, folder, configuration and state; it builds no BERT."""
