"""Behind compare_original.py: the scripts of bojone/CoSENT, run as they stand, beside ours.

Not a copy of them: their text is read from the user's own checkout, whenever it is run.
"""
