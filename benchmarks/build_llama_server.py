"""Builds llama.cpp's server as a peer for generate_throughput.py.

    python benchmarks/build_llama_server.py --out DIR           # prints the path of the binary

From the source archive of the llama-cpp-python version that is installed, so that a comparison is
one of two ways to drive llama.cpp and of nothing else. What computes is not even built again: the
server is linked against the ggml libraries of the installed package, built with the flags that
the package was built with, and its libllama is replaced by the package's own. Needs a C++ compiler
and cmake, and takes about as long as building the package did.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "llama-cpp-python"
# Only the server, without what its use here does not need: HTTPS, the web page, tools, tests.
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "ON",
    "LLAMA_USE_SYSTEM_GGML": "ON",
    "LLAMA_BUILD_COMMON": "ON",
    "LLAMA_BUILD_TOOLS": "ON",
    "LLAMA_BUILD_SERVER": "ON",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
    # The binary finds its libraries beside itself, wherever the folder is moved.
    "CMAKE_BUILD_WITH_INSTALL_RPATH": "ON",
    "CMAKE_INSTALL_RPATH": "$ORIGIN",
}


def main() -> None:
    """Unpack, build, and gather binary and libraries in one folder."""
    args = _arguments()
    package = _package()
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        source = _unpack(args.archive or _download(work), work)
        built = _build(source, work / "build", package, args.jobs)
        binary = _gather(built, package / "llama_cpp" / "lib", args.out)
    subprocess.run([binary, "--version"], check=True, stdout=sys.stderr)
    print(binary)


def _package() -> Path:
    """The folder that the installed package lies in."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        sys.exit(f"{PACKAGE} is not installed in this Python: run `make install`")
    folder = Path(found.origin).parents[1]
    if not (folder / "lib" / "cmake" / "ggml" / "ggml-config.cmake").exists():
        sys.exit(f"{PACKAGE} in {folder} was not built from source: run `make install`")
    return folder


def _download(work: Path) -> Path:
    requirement = f"{PACKAGE}=={importlib.metadata.version(PACKAGE)}"
    # Only this package from source: its build dependencies have wheels.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
               "--no-binary", PACKAGE, "--dest", work, requirement]  # fmt: skip
    subprocess.run(command, check=True, stdout=sys.stderr)
    return next(work.glob("*.tar.gz"))


def _unpack(archive: Path, work: Path) -> Path:
    version = importlib.metadata.version(PACKAGE)
    root = work / f"{PACKAGE.replace('-', '_')}-{version}"
    if not root.exists():
        with tarfile.open(archive) as source:
            source.extractall(work, filter="data")
    if not root.exists():
        sys.exit(f"{archive} is not the source archive of {PACKAGE} {version}, which is installed")
    return root / "vendor" / "llama.cpp"


def _build(source: Path, build: Path, package: Path, jobs: int) -> Path:
    options = {**OPTIONS, "ggml_DIR": str(package / "lib" / "cmake" / "ggml")}
    ninja = ["-G", "Ninja"] if shutil.which("ninja") else []
    configure = ["cmake", "-S", source, "-B", build, *ninja,
                 *(f"-D{name}={value}" for name, value in options.items())]  # fmt: skip
    subprocess.run(configure, check=True, stdout=sys.stderr)
    compile_ = ["cmake", "--build", build, "--target", "llama-server", "--parallel", str(jobs)]
    subprocess.run(compile_, check=True, stdout=sys.stderr)
    return build / "bin"


def _gather(built: Path, libraries: Path, out: Path) -> Path:
    """Binary and libraries in ``out``; where the package has a library, it is the package's."""
    out.mkdir(parents=True, exist_ok=True)
    found = {path.name: path for path in built.glob("*.so*")}
    found |= {path.name: path for path in libraries.glob("*.so*")}
    for name, path in found.items():
        shutil.copy2(path, out / name)
    return Path(shutil.copy2(built / "llama-server", out / "llama-server"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for binary and libraries")
    parser.add_argument("--archive", type=Path, help="the source archive, if it is here already")
    parser.add_argument("--work", type=Path, help="keep sources and objects here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    args.out = args.out.resolve()
    return args


if __name__ == "__main__":
    main()
