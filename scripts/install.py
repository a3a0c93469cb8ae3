"""Install localdistill and everything it needs into a virtual environment (standard library only).

    python3 scripts/install.py --venv .venv --set auto

Two dependency sets have the same pins (`requirements/`). The *cuda* set installs Unsloth with all
of its dependencies; the *cpu* set takes PyTorch's CPU build and Unsloth without xformers,
torchvision, triton and diffusers, which it does not need to train on a CPU. llama-cpp-python is
built from its source archive, and llama.cpp's converter, which pip does not install, is put beside
it from the same archive. All but PyTorch's CPU build and what only tests need comes from locks with
hashes (`scripts/lock.py`). A second call with nothing changed returns at once.

    python3 scripts/install.py --set cpu --portable --only-llama-cpp FOLDER
    python3 scripts/install.py --venv .venv --llama-cpp FOLDER

do that part apart: the first leaves the archive and what was built of it in FOLDER, the second
installs it from there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from compile_c import SOURCES, compile_c

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
# PyTorch publishes its CPU build on an index of its own; the general one has the CUDA build only.
TORCH_CPU_INDEX = os.environ.get("TORCH_CPU_INDEX", "https://download.pytorch.org/whl/cpu")
LEAN = Path(__file__).resolve().with_name("llama_cpp.cmake")
WITHOUT_AMX = LEAN.with_name("without_amx.cmake")  # a part of it
CONVERTER_PARTS = ("convert_hf_to_gguf.py", "conversion", "gguf-py", "LICENSE")


def fail(message: str) -> None:
    """End with one line for the person who called."""
    sys.exit(f"install: {message}")


def check_machine(kind: str, compiles: bool = True) -> None:
    """Refuse early, with the fix, what would fail late and unreadably.

    ``kind``: "cpu" or "cuda". ``compiles``: whether llama.cpp is built here.
    """
    if sys.version_info < (3, 11):  # noqa: UP036  (an older Python runs this file as well)
        fail(f"Python 3.11 or newer is needed, this is {platform.python_version()}.")
    if sys.platform != "linux":
        fail("Linux (or WSL2 on Windows) is needed; elsewhere use the Docker image.")
    missing = [
        name
        for name, commands in (
            ("a C++ compiler", ("c++", "g++", "clang++")),
            ("cmake", ("cmake",)),
        )
        if not any(shutil.which(command) for command in commands)
    ]
    if missing and compiles:
        fail(
            f"{' and '.join(missing)} not found: llama.cpp is built from source. "
            "Debian, Ubuntu: sudo apt-get install build-essential cmake"
        )
    if compiles and kind == "cuda" and not has_cuda_compiler():
        fail(
            "this machine has an NVIDIA GPU, but no CUDA compiler (nvcc) was found, with which "
            "llama.cpp is built for it. Install NVIDIA's CUDA toolkit 13, or go without the GPU: "
            'make run INSTALL_ARGS="--set cpu" (and the same for each other make).'
        )
    try:
        import ensurepip  # noqa: F401  (Debian ships venv apart from Python)
    except ImportError:
        fail("Python's venv is not complete. Debian, Ubuntu: sudo apt-get install python3-venv")


def has_nvidia_gpu() -> bool:
    """Whether the NVIDIA driver lists a GPU."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return False
    listed = subprocess.run([command, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


def has_cuda_compiler() -> bool:
    """Whether there is an nvcc where CMake looks for one."""
    if os.environ.get("CUDACXX") or shutil.which("nvcc"):
        return True
    folders = [os.environ.get("CUDA_PATH", ""), "/usr/local/cuda"]
    return any(shutil.which("nvcc", path=f"{folder}/bin") for folder in folders if folder)


class Environment:
    """A virtual environment and the pip inside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def create(self) -> None:
        """Make it unless it is there."""
        if not self.python.exists():
            print(f"install: creating {self.folder}", flush=True)
            venv.create(self.folder, with_pip=True)

    def pip(self, *arguments: str, variables: dict[str, str] | None = None) -> None:
        """Run pip; its output is shown, and its failure is ours."""
        command = [str(self.python), "-m", "pip", *arguments, "--disable-pip-version-check"]
        done = subprocess.run(command, env={**os.environ, **(variables or {})}, check=False)
        if done.returncode != 0:
            fail(f"`{' '.join(command[1:])}` failed; its message stands above.")

    def has(self, requirement: str) -> bool:
        """Whether the pinned ``name==version`` is installed (a suffix such as +cpu is ignored)."""
        name, _, version = requirement.partition("==")
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        found = subprocess.run(
            [str(self.python), "-c", code], capture_output=True, text=True, check=False
        )
        return found.returncode == 0 and found.stdout.strip().split("+")[0] == version


def pins(file: str) -> list[str]:
    """The requirement lines of ``requirements/FILE``, without comments."""
    lines = (REQUIREMENTS / file).read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def pin_of(name: str) -> str:
    """The one pinned line of package ``name``."""
    files = ("base.txt", "train.txt", "unsloth.txt")
    return next(line for file in files for line in pins(file) if line.startswith(f"{name}=="))


def install_torch(environment: Environment, kind: str) -> None:
    """PyTorch's CPU build; the general one is in the lock of its set."""
    requirement = pin_of("torch")
    if kind == "cuda" or environment.has(requirement):
        return
    python = str(environment.python)
    # A CPU build that pip already finds (a local wheel folder) saves the download.
    attempts = [["install", f"{requirement}+cpu"]]
    if TORCH_CPU_INDEX:
        attempts.append(["install", f"{requirement}+cpu", "--extra-index-url", TORCH_CPU_INDEX])
    for arguments in attempts:
        command = [python, "-m", "pip", *arguments, "--disable-pip-version-check"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    print("install: no CPU build of PyTorch in reach; taking the general one (several GB)")
    environment.pip("install", requirement)


def build_llama_cpp(environment: Environment, kind: str, portable: bool, folder: Path) -> None:
    """Leave llama-cpp-python in ``folder``: its source archive, and a wheel that is built of it."""
    # Half of the build is not used: the multimodal parts, and what llama.cpp's own programs share.
    flags = ["-DLLAVA_BUILD=OFF", "-DMTMD_BUILD=OFF"]
    flags.append(shlex.quote(f"-DCMAKE_PROJECT_llama_cpp_INCLUDE={LEAN}"))
    if kind == "cuda":
        flags.append("-DGGML_CUDA=ON")
    if portable:  # every x86-64 processor since about 2013, instead of the building one
        flags += ["-DGGML_NATIVE=OFF"]
        flags += [f"-DGGML_{name}=ON" for name in ("SSE42", "AVX", "AVX2", "BMI2", "FMA", "F16C")]
    given = os.environ.get("CMAKE_ARGS", "")
    print("install: building llama-cpp-python from source (about 5 minutes on 2 cores)", flush=True)
    environment.pip(
        "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python",
        "--dest", str(folder), pin_of("llama-cpp-python"),
    )  # fmt: skip
    check_hash(archive_in(folder), "llama-cpp-python", kind)
    environment.pip(
        "wheel", "--no-cache-dir", "--no-deps", "--wheel-dir", str(folder), str(archive_in(folder)),
        variables={"CMAKE_ARGS": " ".join([*flags, given]).strip()},
    )  # fmt: skip


def built_as(kind: str, portable: bool) -> str:
    """What a build of llama-cpp-python depends on: a change of it means building anew."""
    parts = (LEAN.read_text(encoding="utf-8"), WITHOUT_AMX.read_text(encoding="utf-8"))
    text = "\n".join([pin_of("llama-cpp-python"), kind, str(portable), *parts])
    return hashlib.sha256(text.encode()).hexdigest()


def archive_in(folder: Path) -> Path:
    """The source archive of llama-cpp-python that lies in ``folder``."""
    _, _, version = pin_of("llama-cpp-python").partition("==")
    found = list(folder.glob(f"llama_cpp_python-{version}.tar.gz"))
    if not found:
        fail(f"{folder} holds no source archive of llama-cpp-python {version}.")
    return found[0]


def install_llama_cpp(
    environment: Environment, kind: str, portable: bool, built: Path | None
) -> None:
    """Install llama-cpp-python, built now or before, and put llama.cpp's converter beside it."""
    requirement = pin_of("llama-cpp-python")
    converter = environment.folder / "share" / "localdistill" / "llama.cpp"
    record, wanted = converter.with_name("llama.cpp.built"), built_as(kind, portable)
    known = record.read_text(encoding="utf-8") if record.exists() else ""
    if environment.has(requirement) and converter.exists() and known == wanted:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = built or Path(temporary)
        if built is None:
            build_llama_cpp(environment, kind, portable, folder)
        archive = archive_in(folder)
        check_hash(archive, "llama-cpp-python", kind)
        wheel = next(folder.glob(f"{archive.name.removesuffix('.tar.gz')}-*.whl"), None)
        if wheel is None:
            fail(f"{folder} holds no wheel of {archive.name}.")
        # What it depends on comes with the lock, by its hash.
        environment.pip("install", "--no-cache-dir", "--no-deps", "--force-reinstall", str(wheel))
        place_converter(archive, converter)
    record.write_text(wanted, encoding="utf-8")


def lock_of(kind: str) -> Path:
    """The lock of a dependency set."""
    return REQUIREMENTS / f"{kind}.lock"


def check_hash(archive: Path, name: str, kind: str) -> None:
    """Refuse an archive of package ``name`` that is not the one in the lock."""
    text = lock_of(kind).read_text(encoding="utf-8")
    entry = next(part for part in text.replace(" \\\n", " ").splitlines() if part.startswith(name))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if f"--hash=sha256:{digest}" not in entry.split():
        fail(f"{archive.name} is not the file in requirements/{kind}.lock: its SHA-256 is {digest}")


def place_converter(archive: Path, target: Path) -> None:
    """Take ``convert_hf_to_gguf.py`` and what it imports out of the source archive."""
    temporary = target.with_name(target.name + ".new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with tarfile.open(archive) as source:
        for member in source:
            _, _, inner = member.name.partition("/vendor/llama.cpp/")
            parts = inner.split("/")
            if parts[0] in CONVERTER_PARTS and ".." not in parts and member.isfile():
                content = source.extractfile(member)
                if content is not None:
                    destination = temporary / inner
                    destination.parent.mkdir(parents=True, exist_ok=True)
                    destination.write_bytes(content.read())
    if not (temporary / CONVERTER_PARTS[0]).exists():
        fail(f"{archive.name} holds no {CONVERTER_PARTS[0]}; the pinned version has moved it.")
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)


def install_dependencies(
    environment: Environment, kind: str, portable: bool, dev: bool, llama_cpp: Path | None
) -> None:
    """All pinned third-party packages of the chosen set."""
    install_torch(environment, kind)
    install_llama_cpp(environment, kind, portable, llama_cpp)
    # What was resolved, and nothing else (scripts/lock.py): the lock holds what they depend on.
    environment.pip("install", "--no-deps", "--require-hashes", "-r", str(lock_of(kind)))
    if dev:
        environment.pip("install", "-r", str(REQUIREMENTS / "dev.txt"))


def stamp(kind: str, portable: bool, dev: bool) -> str:
    """What an installation was made from: a change of it means that there is work to do."""
    digest = hashlib.sha256(f"{kind} {portable} {dev} {sys.version}".encode())
    for path in [
        *sorted(REQUIREMENTS.glob("*.txt")),
        lock_of(kind),
        Path(__file__),
        LEAN,
        WITHOUT_AMX,
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Parse the command line and install what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv")
    parser.add_argument("--set", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--portable", action="store_true", help="build for any AVX2 processor")
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    parser.add_argument("--dependencies-only", action="store_true")
    llama_cpp = parser.add_mutually_exclusive_group()
    llama_cpp.add_argument("--only-llama-cpp", type=Path, metavar="FOLDER", help="build it there")
    llama_cpp.add_argument("--llama-cpp", type=Path, metavar="FOLDER", help="take it from there")
    options = parser.parse_args()

    kind = options.set if options.set != "auto" else ("cuda" if has_nvidia_gpu() else "cpu")
    environment = Environment(options.venv.resolve())
    if options.only_llama_cpp:
        check_machine(kind)
        environment.create()
        options.only_llama_cpp.mkdir(parents=True, exist_ok=True)
        build_llama_cpp(environment, kind, options.portable, options.only_llama_cpp.resolve())
        return
    if not options.dependencies_only and not all([compile_c(ROOT / name) for name in SOURCES]):
        print("install: no C compiler: the sandbox and sampling will be slower")
    wanted = stamp(kind, options.portable, options.dev)
    stamp_file = environment.folder / ".localdistill-installed"
    if stamp_file.exists() and stamp_file.read_text(encoding="utf-8") == wanted:
        return
    check_machine(kind, compiles=options.llama_cpp is None)
    environment.create()
    install_dependencies(
        environment,
        kind,
        options.portable,
        options.dev,
        options.llama_cpp and options.llama_cpp.resolve(),
    )
    if not options.dependencies_only:
        # The lock has brought setuptools: pip would fetch another one, without a hash.
        build = ("--no-build-isolation", "--no-deps", "--editable", str(ROOT))
        environment.pip("install", "--quiet", *build)
        stamp_file.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
