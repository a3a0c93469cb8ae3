"""Where a confined process lives: its own root where namespaces are permitted, else a folder.

A warm parent calls ``enter`` once, before it has seen anything.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

from localdistill.sandbox import kernel, landlock

SHARED_MEMORY = "/dev/shm"  # noqa: S108
BOX_BYTES, BOX_FILES = 64 << 20, 4096
WATCHER_OFFSET = 303  # between a slot's user id and that of its watchers
_BOX_MODE, _EMPTY_FOLDER = 0o700, 40
_BOX_DEPTH = 50  # where only sampling bounds the box
# Not /dev/zero: a shared mapping of it is memory that no limit sees.
_DEVICES = ("/dev/null", "/dev/full", "/dev/urandom", "/dev/random")
_LINKS = {
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "fd": "/proc/self/fd",
}
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/locale")
_OWN_FOLDER = os.path.dirname(os.path.realpath(__file__))
_NOT_FOR_CANDIDATES = ("site-packages", "dist-packages")
_PACKAGES = "/packages"  # in a root of its own: they may come from a folder that is hidden there


class Place(NamedTuple):
    """What one warm parent's children get.

    ``uid`` is None where only the user's own id is there (an unprivileged user namespace).
    """

    box: str
    uid: int | None
    namespaces: bool
    landlock: bool
    own_files: bool = False  # in a container: box and shared memory are the slot's own, and bounded
    packages: tuple[str, ...] = ()  # folders of installed packages that candidates may import

    @property
    def bounded(self) -> bool:
        """Whether the kernel bounds what the slot can write, so that nobody needs to look."""
        return self.namespaces or self.own_files

    @property
    def by_descent(self) -> bool:
        """Whether only their descent tells the slot's processes from the user's own."""
        return self.uid is None and not self.namespaces

    @property
    def watcher_uid(self) -> int | None:
        """The real user id of who looks at the slot's processes and ends them: nobody else's."""
        return None if self.uid is None else self.uid + WATCHER_OFFSET

    @property
    def packages_seen(self) -> list[str]:
        """Where ``packages`` are for those who live here."""
        if not self.namespaces:
            return list(self.packages)
        return [f"{_PACKAGES}/{os.path.basename(f)}" for f in self.packages]


def libraries() -> list[str]:
    """Folders of the shared libraries that this interpreter uses or may load."""
    folders = {"/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"}
    with open("/proc/self/maps") as lines:
        mapped = [line.rstrip("\n").split(maxsplit=5)[5:] for line in lines]
    for path in mapped:
        if path and path[0].startswith("/") and ".so" in path[0]:
            folders.add(os.path.dirname(path[0]))
    folders.discard(_OWN_FOLDER)  # of the compiled steps, which candidates have no use for
    found = {os.path.realpath(each) for each in folders if os.path.isdir(each)}
    # Where Python stands in a folder of its own, its files are listed one by one.
    own = f"{sys.base_prefix}/lib" if sys.base_prefix != "/usr" else _standard_library()
    return sorted(each for each in found if each != own and not each.startswith(own + "/"))


def _standard_library() -> str:
    return os.path.dirname(os.path.realpath(os.__file__))


def _python_files() -> list[str]:
    """The interpreter, its own library and the standard library without installed packages."""
    library = _standard_library()
    names = os.listdir(library)
    inside = [library]
    if any(name in names for name in _NOT_FOR_CANDIDATES):
        inside = [f"{library}/{name}" for name in names if name not in _NOT_FOR_CANDIDATES]
    return [os.path.realpath(sys.executable), *_own_libraries(), *inside]


def _own_libraries() -> list[str]:
    """The interpreter itself as a shared library, where Python stands in a folder of its own."""
    if sys.base_prefix == "/usr":
        return []
    folder = f"{sys.base_prefix}/lib"
    return sorted(f"{folder}/{n}" for n in os.listdir(folder) if n.startswith("libpython"))


def enter(place: Place) -> None:
    """Make the surroundings of ``place`` for this process and the ones that it forks."""
    if place.namespaces:
        _new_root(place)
    if place.uid is not None:
        for folder in (place.box, SHARED_MEMORY) if place.namespaces else (place.box,):
            if os.stat(folder).st_uid != place.uid:
                os.chown(folder, place.uid, place.uid)


def make_box(place: Place) -> None:
    """Make the box of a slot in a container, where there is no right to give files away."""
    with acting_as(place), contextlib.suppress(FileExistsError):
        os.mkdir(place.box, _BOX_MODE)


@contextlib.contextmanager
def acting_as(place: Place) -> Iterator[None]:
    """Touch the slot's files and processes with the slot's rights: root may lack its own.

    The real user id stays, so no process of the slot can reach this one. Call nothing in here that
    ends all processes that can be reached: those of the real user id can be as well.
    """
    if place.uid is None or place.namespaces:
        yield
        return
    os.seteuid(place.uid)
    try:
        yield
    finally:
        os.seteuid(0)


def rules(place: Place) -> list[tuple[str, int]]:
    """The Landlock rules that fit ``place``."""
    # Each rule is copied for each child. Where installed packages are hidden, one will do for all.
    python = (
        [os.path.realpath(sys.executable), *_own_libraries(), _standard_library()]
        if place.namespaces
        else _python_files()
    )
    readable = (*python, *libraries(), *_SYSTEM_FILES, *place.packages_seen)
    allowed = [(each, landlock.READ) for each in readable]
    allowed += [(_standard_library(), landlock.LIST)]
    allowed += [(each, landlock.DEVICE) for each in _DEVICES]
    allowed += [(place.box, landlock.WRITE)]
    # Without a mount of its own a slot shares this folder: no more than multiprocessing needs.
    return [*allowed, (SHARED_MEMORY, landlock.WRITE if place.namespaces else landlock.FILES)]


def _new_root(place: Place) -> None:
    kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    # Built over a folder in which nothing lies that is shown. Then the old root is out of sight.
    root = "/sys"
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for link in ("/lib", "/lib64", "/bin"):
        if os.path.islink(link):
            os.symlink(os.readlink(link), root + link)
    folders = {*libraries(), _standard_library()}
    for path in sorted(folders | {f for f in _python_files() if f not in folders}):
        if not any(path != f and path.startswith(f + "/") for f in folders):
            _show(path, root)
    for path in _SYSTEM_FILES:
        if os.path.exists(path):
            _show(path, root)
    _show_packages(place, root)
    _make_devices(root)
    for folder in (place.box, SHARED_MEMORY):
        os.makedirs(root + folder)
        _fresh_memory(root + folder)
    os.mkdir(root + "/proc")
    kernel.mount("proc", root + "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV)
    os.symlink(place.box, root + "/tmp")  # noqa: S108
    _read_only(root)
    kernel.pivot_root(root)


def _show_packages(place: Place, root: str) -> None:
    """Of all that is installed, show what ``place`` names."""
    for name in _NOT_FOR_CANDIDATES:
        _hide(root + _standard_library() + "/" + name)
    for path, seen in zip(place.packages, place.packages_seen, strict=True):
        _bind(path, root + seen, read_only=True)


def _make_devices(root: str) -> None:
    for path in _DEVICES:
        _bind(path, root + path, read_only=False)
    for name, target in _LINKS.items():
        os.symlink(target, f"{root}/dev/{name}")


def _fresh_memory(folder: str) -> None:
    limits = f"size={BOX_BYTES},nr_inodes={BOX_FILES},mode=700"
    kernel.mount("tmpfs", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, limits)


def _show(path: str, root: str) -> None:
    _bind(path, root + path, read_only=True)


def _bind(source: str, target: str, *, read_only: bool) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT))
    kernel.mount(source, target, "", kernel.MS_BIND)
    if read_only:
        _read_only(target)


def _read_only(target: str) -> None:
    # Flags that the mount has already must be named again, or a user namespace may not remount it.
    has = os.statvfs(target).f_flag
    keep = has & (kernel.MS_NOSUID | kernel.MS_NODEV | 8 | 1024 | 2048)
    keep |= (1 << 21) if has & 4096 else 0
    flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | keep
    kernel.mount("none", target, "", flags)


def _hide(folder: str) -> None:
    if os.path.isdir(folder):
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_RDONLY
        kernel.mount("tmpfs", folder, "tmpfs", flags, "size=4k")


def overfull(place: Place) -> bool:
    """Whether a box that is a mere folder holds more than it may."""
    with acting_as(place):
        return _overfull(place)


def _overfull(place: Place) -> bool:
    used = files = 0
    folders = [(place.box, 0)]
    with contextlib.suppress(FileNotFoundError):  # gone while we looked
        shared = [entry for entry in os.scandir(SHARED_MEMORY) if _owned(entry, place.uid)]
        files += len(shared)
        used += sum(entry.stat(follow_symlinks=False).st_blocks * 512 for entry in shared)
    while folders:
        folder, depth = folders.pop()
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                files += 1
                used += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, depth + 1))
                if used > BOX_BYTES or files > BOX_FILES or depth > _BOX_DEPTH:
                    return True
    return used > BOX_BYTES or files > BOX_FILES


def _owned(entry: os.DirEntry[str], uid: int | None) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_uid == uid
    return False


def is_clean(place: Place) -> bool:
    """Whether box and shared memory are as they were before the first candidate."""
    if place.namespaces:
        return all(map(_is_untouched, (place.box, SHARED_MEMORY)))
    with acting_as(place):
        if not _bears_no_word(os.stat(place.box)) or os.listdir(place.box):
            return False
        os.utime(place.box, ns=(0, 0))  # we have just looked into it
        return not _shared_files(place)


def _is_untouched(folder: str) -> bool:
    found = os.stat(folder)
    # In a memory file system the size of a folder is that of its entries.
    return found.st_size == _EMPTY_FOLDER and _bears_no_word(found)


def _bears_no_word(found: os.stat_result) -> bool:
    """Whether a folder's mode and times, in which its owner can leave word, are as it was made."""
    times = found.st_mtime_ns, found.st_atime_ns
    return stat.S_IMODE(found.st_mode) == _BOX_MODE and times == (0, 0)


def _shared_files(place: Place) -> list[str]:
    return [entry.path for entry in os.scandir(SHARED_MEMORY) if _owned(entry, place.uid)]


def wipe(place: Place) -> None:
    """Empty the box and the shared memory. Call it when no process of the slot is left."""
    if place.namespaces:
        for folder in (place.box, SHARED_MEMORY):
            if not _is_untouched(folder):
                _empty(folder)
                os.utime(folder, ns=(0, 0))
        return
    with acting_as(place):
        _empty(place.box)
        os.utime(place.box, ns=(0, 0))
        for path in _shared_files(place):
            os.unlink(path)


def _empty(folder: str) -> None:
    """Empty ``folder``, whatever is in it, without following a link or running out of stack."""
    os.chmod(folder, _BOX_MODE)
    serial = 0
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            # Brought up by one level instead of going down: depth then costs nothing.
            for inner in list(os.scandir(entry.path)):
                serial += 1
                os.rename(inner.path, f"{folder}/.{serial}.{os.getpid()}.wipe")
            os.rmdir(entry.path)
