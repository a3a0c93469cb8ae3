import pytest

from localdistill.instructions import flags, floats_are_faster

ZEN3 = frozenset(["fpu", "sse4_2", "avx", "f16c", "fma", "avx2", "bmi2"])


def test_the_flags_of_the_first_processor(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nflags\t\t: x\n")
    assert flags(path) == {"fpu", "avx2"}


@pytest.mark.parametrize("text", ["", "processor\t: 0\nFeatures\t: fp asimd\n"])
def test_a_processor_that_does_not_tell_has_none(tmp_path, text):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert flags(path) == frozenset() == flags(tmp_path / "missing")


def test_floats_are_faster_with_avx2_and_nothing_beyond_it():
    assert floats_are_faster(ZEN3)
    assert not floats_are_faster(ZEN3 - {"f16c"})
    assert not floats_are_faster(frozenset())


@pytest.mark.parametrize("more", ["avx512f", "avx512_vnni", "avx_vnni", "amx_int8"])
def test_wide_or_fused_integers_are_not_given_up(more):
    assert not floats_are_faster(ZEN3 | {more})
