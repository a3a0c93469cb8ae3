"""In which type a processor trains, found out without importing PyTorch.

Unsloth's CPU backend takes bfloat16 where the processor has instructions for it, and 32 bits
elsewhere (``cpu_bf16_supported`` of unsloth_zoo/cpu/runtime.py).
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")
_X86, _ARM = {"amx_bf16", "avx512_bf16"}, {"bf16"}


def bytes_of_a_value(processors: Path = _PROCESSORS, machine: str = "") -> int:
    """2 where a CPU trains in bfloat16, else 4. ``UNSLOTH_CPU_BF16`` decides if it is set."""
    told = os.environ.get("UNSLOTH_CPU_BF16", "").strip().lower()
    if told in ("0", "false", "no", "off"):
        return 4
    if told in ("1", "true", "yes", "on"):
        return 2
    arm = (machine or platform.machine()).lower() in ("aarch64", "arm64")
    return 2 if _flags(processors) & (_ARM if arm else _X86) else 4


def _flags(processors: Path) -> set[str]:
    try:
        text = processors.read_text(encoding="utf-8", errors="ignore")
    except OSError:
        return set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return set(value.lower().split())
    return set()
