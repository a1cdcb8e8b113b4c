"""train_table.py: what a table of runs costs, what is missing, and the runs themselves.

What one run does is in cosent_tf.run.
"""
