"""Build llama.cpp's own server as a peer for `generate_throughput.py`.

    python benchmarks/build_llama_server.py --out DIR        # some ten minutes on two cores

From the source archive of the very llama-cpp-python that is installed, with its defaults, as
`scripts/install.py` builds the library: so both decode with the same code. Needs cmake and a C++
compiler. The binary is DIR/bin/llama-server.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# As in scripts/llama_cpp.cmake: such code crashes.
WITHOUT_AMX = Path(__file__).resolve().parents[1] / "scripts" / "without_amx.cmake"
# No web page, no HTTPS and no downloads: parts that a benchmark does not need.
FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_TOOLS=ON", "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_CURL=OFF",
)  # fmt: skip


def main() -> None:
    """Fetch, unpack, build."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to build in")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--archive", type=Path, help="the source archive, if it is here already")
    args = parser.parse_args()
    out = args.out.resolve()
    version = importlib.metadata.version("llama-cpp-python")
    with tempfile.TemporaryDirectory() as folder:
        archive = args.archive or _download(version, Path(folder))
        shutil.unpack_archive(archive, out / "source", filter="data")
    source = out / "source" / f"llama_cpp_python-{version}" / "vendor" / "llama.cpp"
    if not source.exists():
        sys.exit(f"{args.archive} is not the source of llama-cpp-python {version}, as installed")
    without_amx = f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={WITHOUT_AMX}"
    subprocess.run(["cmake", "-S", source, "-B", out, without_amx, *FLAGS], check=True)
    build = ["cmake", "--build", out, "--target", "llama-server", "--parallel", str(args.jobs)]
    subprocess.run(build, check=True)
    print(out / "bin" / "llama-server")


def _download(version: str, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--no-binary", "llama-cpp-python", "--dest", folder, f"llama-cpp-python=={version}"]
    subprocess.run(pip, check=True)
    return next(folder.glob("*.tar.gz"))


if __name__ == "__main__":
    main()
