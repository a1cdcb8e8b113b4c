"""What the tests compare with: a NumPy BERT from the papers' equations, and random checkpoints."""
