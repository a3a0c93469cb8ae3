"""The HTML report of a run: one self-contained file, made from the run's directory alone."""

from localdistill.report.page import render, write

__all__ = ["render", "write"]
