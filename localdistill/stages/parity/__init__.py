"""The parity gate: is an exported GGUF file the model that was trained?

``gate`` makes the checks of ``identity``, ``tokens``, ``verdicts`` (of what ``passes`` compares)
and ``answers`` in that order and writes what they found to ``parity.json``; docs/parity.md says
what each is good for.
"""
