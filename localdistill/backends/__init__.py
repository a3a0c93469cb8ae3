"""Generators: what turns prompts into completions. One file each, all behind ``base.Generator``."""
