"""Self-distillation of code models on one home machine."""

__version__ = "0.1.0"
