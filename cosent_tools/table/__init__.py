"""train_table.py: the cost of a table of runs, and what is missing before they can start.

What a single run does is in cosent_tf.run.
"""
