"""A run's directory, taken before a model is fetched for it: a second call is refused at once."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from localdistill import starting_points
from localdistill.config import Config
from localdistill.models import default_home
from localdistill.run_dir import RunDir


class Claim:
    """Holds the directory once ``take`` was called, until the block ends or the run has ended it.

    ``path`` is as the user has named it; None: it has the model's name.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.directory: RunDir | None = None  # that was taken

    def take(self, config: Config) -> None:
        """Lock the directory for a run of ``config``, whose model is still a name on the hub.

        Raises:
            ConfigError: another run works in it, it holds other files, or cannot be written.
        """
        directory = RunDir(self._path or default_home() / starting_points.name_on_hub(config.model))
        self.directory = directory.open()
        if not directory.config.exists():
            directory.check(config)

    def show_life(self) -> None:
        """Let the image's health check know that the model is still being fetched."""
        if self.directory is not None:
            self.directory.show_life()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.directory is not None and self.directory.is_open:
            self.directory.__exit__(kind, error, trace)
