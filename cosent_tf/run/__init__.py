"""A training run on disk and on devices: its folder, start and checkpoints; who computes what."""
