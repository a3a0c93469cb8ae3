"""Attacks that reach for what is outside of the sandbox."""

from __future__ import annotations

from pathlib import Path

from localdistill.sandbox import probe
from localdistill.sandbox.attacks.bait import VARIABLE
from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.attacks.ring import Program, Ring


def network(ring: Ring) -> Finding:
    """Every way that leads out by a socket."""
    bait = ring.bait
    return ring.attack(
        "network",
        "sockets of all 45 families; this machine by TCP, UDP, unix sockets; cloud metadata; DNS",
        _probe(ring, "network"),
        Program("network", "attack", (bait.tcp, bait.udp, bait.path, bait.abstract)),
    )


def files(ring: Ring) -> Finding:
    """Files that are not the candidate's."""
    bait = ring.bait
    return ring.attack(
        "host files",
        "reads and changes files of the machine and the tool, also by links; devices; /proc, /sys",
        _probe(ring, "files"),
        Program("files", "attack", (str(bait.secret), str(bait.writable), probe.__file__)),
    )


def secrets(ring: Ring) -> Finding:
    """What whoever started the tool keeps from others."""
    return ring.attack(
        "environment and secrets",
        "the tool's environment, keys and tokens in home folders, /run/secrets",
        Program("files", "secrets", (str(Path.home()), VARIABLE)),
    )


def supervisor(ring: Ring) -> Finding:
    """Memory and descriptors of the processes that decide."""
    return ring.attack(
        "ptrace of the supervisor",
        "ptrace, process_vm_readv and _writev, kcmp, /proc of the tool, its pits and its parent",
        _probe(ring, "processes"),
        Program("processes", "trace", (ring.processes(),)),
    )


def kill(ring: Ring) -> Finding:
    """Ending processes that are not the candidate's."""
    return ring.attack(
        "kill(-1)",
        "every process in reach, one of the tool's, its own supervisor",
        Program("processes", "kill", (ring.bait.victim, ring.everybody(), ring.other_user)),
    )


def rights(ring: Ring) -> Finding:
    """Rights that a candidate gave up."""
    return ring.attack(
        "rights of root",
        "setuid, setgid, groups, chroot, device files, a setuid file, capabilities that were kept",
        _probe(ring, "rights"),
    )


def kernel(ring: Ring) -> Finding:
    """System calls that no candidate needs."""
    return ring.attack(
        "unshare, mount and others",
        "namespaces, mount, pivot_root, setns, io_uring, bpf, perf, userfaultfd, keys, memfd",
        _probe(ring, "kernel"),
    )


ATTACKS = (network, files, secrets, supervisor, kill, rights, kernel)


def _probe(ring: Ring, group: str) -> Program:
    given = {
        "canary": probe.__file__,
        "port": ring.bait.tcp,
        "processes": ring.processes(),
        "other_user": ring.other_user,
        "only_image": False,
    }
    return Program("probe", "attack", (group, given))
