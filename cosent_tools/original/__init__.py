"""compare_original.py: the scripts of bojone/CoSENT run unchanged, beside ours.

Their text is read from the user's own checkout when it is run; no copy of it is here.
"""
