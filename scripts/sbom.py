"""Write what is installed in an environment as a bill of materials, in CycloneDX's format.

    python3 scripts/sbom.py --python /opt/localdistill/bin/python --out sbom.cdx.json

cyclonedx-py lists the Python packages with versions, licences and what needs what. llama.cpp, which
is compiled into llama-cpp-python and no package itself, is added. The same environment gives the
same file: no date and no random number is in it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from audit import tools

_FORMAT = ("--output-format", "JSON", "--spec-version", "1.6", "--output-reproducible")


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", type=Path, required=True, help="of the environment to describe")
    parser.add_argument("--venv", type=Path, help="for cyclonedx-py; else a temporary one")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = tools(options.venv or Path(folder) / "tools") / "cyclonedx-py"
        made = Path(folder) / "sbom.json"
        command = [program, "environment", *_FORMAT, "--output-file", made, options.python]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"sbom: {done.stderr.strip()}")
        bill = json.loads(made.read_bytes())
    options.out.write_text(json.dumps(with_llama_cpp(bill), indent=1) + "\n", encoding="utf-8")


def with_llama_cpp(bill: dict[str, Any]) -> dict[str, Any]:
    """The bill with llama.cpp as a part of the package that it is compiled into."""
    for component in bill["components"]:
        if component["name"].replace("_", "-") == "llama-cpp-python":
            component["components"] = [
                {
                    "type": "library",
                    "bom-ref": f"llama.cpp-of-{component['bom-ref']}",
                    "name": "llama.cpp",
                    "description": "with ggml; as it stands in that package's source archive",
                    "licenses": [{"license": {"id": "MIT"}}],
                    "externalReferences": [
                        {"type": "vcs", "url": "https://github.com/ggml-org/llama.cpp"}
                    ],
                }
            ]
    return bill


if __name__ == "__main__":
    main()
