"""How this machine gets its Python packages, carried over into the base image of tests.

    pip_settings.py inputs       print what the settings and the files that they name consist of
    pip_settings.py copy ROOT    write ROOT/etc/pip.conf, and copy those files to the same places

A machine behind a proxy or a mirror has a CA bundle, constraints or a folder of wheels of its own.
They belong into the base image and never into the project's Dockerfile. Only settings that say
where packages come from are carried over, and no index that is a folder of this machine: such
mirrors can be larger than the image.
"""
# ruff: noqa: T201

import ast
import configparser
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

CARRIED = {
    "index-url", "extra-index-url", "no-index", "find-links", "constraint", "trusted-host", "proxy",
    "prefer-binary", "only-binary", "no-binary", "timeout", "default-timeout", "retries",
}  # fmt: skip
INDEXES = {"index-url", "extra-index-url"}
NAMES_FILES = {"find-links", "constraint"}
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")  # where Debian, and so the image, keeps it


def main(arguments: list[str]) -> int:
    """Do as the arguments say; the exit code."""
    settings = pip_settings()
    match arguments:
        case ["inputs"]:
            print(sorted(settings.items()))
            for path in [*named_files(settings), host_ca_bundle()]:
                print(*(describe(file) for file in files_below(path)), sep="\n")
        case ["copy", root]:
            write(settings, Path(root))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def pip_settings() -> dict[str, str]:
    """Read pip's settings, as {"global.find-links": value}, from its files and PIP_* variables."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, str] = {}
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.replace(":env:", "global").rpartition(".")
        if name not in CARRIED:
            continue
        words = str(ast.literal_eval(value)).split()
        if name in INDEXES:
            words = [word for word in words if "://" in word and not word.startswith("file:")]
        if words:
            # The list is sorted: a variable (":env:") comes before the file's value, and wins.
            found.setdefault(f"{section}.{name}", " ".join(words))
    return found


def named_files(settings: dict[str, str]) -> list[Path]:
    """The files and folders of this machine that the settings name."""
    words = [
        word.removeprefix("file://")
        for key, value in settings.items()
        if key.rpartition(".")[2] in NAMES_FILES
        for word in value.split()
    ]
    return [Path(word) for word in words if Path(word).is_absolute() and Path(word).exists()]


def host_ca_bundle() -> Path:
    """The certificates that this machine trusts, which may include those of a proxy."""
    named = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    return Path(named or ssl.get_default_verify_paths().cafile or CA_BUNDLE)


def files_below(path: Path) -> list[Path]:
    """All files of a folder, or the file itself."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def describe(file: Path) -> str:
    """What changes when the file does."""
    status = file.stat()
    return f"{file} {status.st_size} {int(status.st_mtime)}"


def write(settings: dict[str, str], root: Path) -> None:
    """Put the settings and all that they name into the file system at ``root``."""
    configuration = configparser.RawConfigParser()
    configuration["global"] = {"cert": str(CA_BUNDLE)}
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        if not configuration.has_section(section):
            configuration.add_section(section)
        configuration.set(section, name, value)
    with (root / "etc/pip.conf").open("w") as file:
        configuration.write(file)

    shutil.copyfile(host_ca_bundle(), inside(root, CA_BUNDLE))
    for source in named_files(settings):
        target = inside(root, source)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def inside(root: Path, path: Path) -> Path:
    """Where ``path`` stands in the file system at ``root``; its folder is made."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
