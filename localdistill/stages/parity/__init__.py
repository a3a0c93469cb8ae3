"""The parity gate: is an exported GGUF file the model that was trained?

``gate`` runs the checks of ``tokens``, ``agreement``, ``survival`` and ``answers`` in that order
and writes what they found to ``parity.json``; docs/parity.md says what each is good for.
"""
