"""download.py: fetching, checking and unpacking files; a file is there as a whole or not at all.

The list of files is in the script; their addresses are in provide.py.
"""
