"""Every error that localdistill raises on purpose, by the boundary that was crossed.

    LocaldistillError
    ├── UserError                 the user can fix it: one line that names the fix, exit code 2
    │   ├── ConfigError           a configuration, option or run directory that does not fit
    │   ├── ProblemSetError       a problem file that cannot be read as one
    │   ├── ModelError            a model file or folder that cannot be used
    │   ├── SandboxUnavailable    no sandbox tier holds on this machine
    │   └── MissingDependency     a part of the installation is not there
    ├── StageFailed               a stage's process ended without its result (exit code 1)
    └── ExportRejected            a finished file did not stand the check against its source

One bad sample is a record in a file (a verdict, a dropped example), never one of these.
"""

from __future__ import annotations


class LocaldistillError(Exception):
    """Base of all errors raised on purpose. ``str()`` of it is one line for a person."""

    exit_code = 1


class UserError(LocaldistillError):
    """Something that the user can fix; the message says how."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration, option or run directory that does not fit."""


class ProblemSetError(UserError):
    """A problem file that cannot be read as one; the message names file and line."""


class ModelError(UserError):
    """A model file or folder that is missing, damaged or of an unsupported kind."""


class SandboxUnavailable(UserError):
    """No sandbox tier holds on this machine, so no candidate program may be run."""


class MissingDependency(UserError):
    """A library or tool that this command needs is not installed."""


class StageFailed(LocaldistillError):
    """A stage's process ended without its result."""


class ExportRejected(LocaldistillError):
    """An exported model file did not stand the check against what it was made from."""
