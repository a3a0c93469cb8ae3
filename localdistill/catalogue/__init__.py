"""Known models: what each is, what it needs, how to sample it, and whether it is on this disk.

Nothing here opens a network connection. The entries are the TOML files of ``models/``.
"""
