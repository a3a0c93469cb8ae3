"""Right programs that naive graders reject, one file each: all pass."""

from __future__ import annotations

import pytest
from programs import Program, programs

from localdistill.sandbox import Sandbox


@pytest.mark.parametrize(
    "program", programs("unusual"), ids=lambda program: program.name, indirect=True
)
def test_unusual_right_program_passes(program: Program, sandbox: Sandbox) -> None:
    (verdict,) = sandbox.run([program.job])
    assert verdict.status == "passed", verdict
