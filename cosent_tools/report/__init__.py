"""From prediction files to tables and pictures, beside the published figures.

No models, no TensorFlow: predictions of any program will do.
"""
