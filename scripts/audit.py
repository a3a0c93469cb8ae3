"""Look up known vulnerabilities of all that is locked (needs the vulnerability service).

    python3 scripts/audit.py          # `make audit`: both dependency sets, and its own tools

pip-audit reads requirements/cpu.lock, cuda.lock and audit.lock and asks the Python advisory
database. Exit code 1 if anything is found that requirements/audit-exceptions.txt does not argue
away.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("cpu.lock", "cuda.lock", "audit.lock")


def tools(folder: Path) -> Path:
    """An environment in ``folder`` with what requirements/audit.lock names; returns its bin."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    lock = REQUIREMENTS / "audit.lock"
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes"]
    done = subprocess.run([*command, "--disable-pip-version-check", "-r", lock], check=False)
    if done.returncode != 0:
        sys.exit("audit: the tools cannot be installed; pip's message stands above.")
    return folder / "bin"


def exceptions() -> list[str]:
    """Ids of the vulnerabilities that are accepted."""
    lines = (REQUIREMENTS / "audit-exceptions.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def main() -> None:
    """Audit all locks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-audit", help="for the tools")
    folder = tools(parser.parse_args().venv)
    ignored = [part for each in exceptions() for part in ("--ignore-vuln", each)]
    found = False
    for lock in LOCKS:
        print(f"audit: requirements/{lock}", flush=True)
        command = [folder / "pip-audit", "--require-hashes", "--disable-pip", "--strict"]
        command += ["--progress-spinner", "off", *ignored, "-r", REQUIREMENTS / lock]
        found |= subprocess.run(command, check=False).returncode != 0
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
