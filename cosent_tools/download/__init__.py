"""Fetching, checking and unpacking what is published: resumed when broken off, whole or not there.

What is fetched and from where stands in the script download.py.
"""
