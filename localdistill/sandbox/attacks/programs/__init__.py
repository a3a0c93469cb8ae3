"""Hostile programs of our own, read as text and run as candidates. None is ever imported here.

Each entry point returns "held" where it has achieved nothing, and raises GotThrough, which names
what it has achieved, where it has. All are bounded, so that they do no harm where nothing holds.
"""
