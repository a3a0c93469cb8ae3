"""Model files: reading and writing GGUF, merging an adapter, quantising."""
