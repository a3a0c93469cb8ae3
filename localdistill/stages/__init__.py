"""The stages of a round: one public ``run(request, callback)`` each, on files.

A request is a frozen pydantic model of paths and settings, so that a stage can be run alone, by
hand, on files made by anybody; ``process.run_stage`` runs one in a process of its own.
"""
