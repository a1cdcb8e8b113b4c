"""What serves one command of this study and no model: each room is named after its command.

cosent_tf never imports it, and the wheel does not contain it.
"""
