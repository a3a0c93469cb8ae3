import pytest

from localdistill.backends import instructions
from localdistill.backends.instructions import compiled_for, floats_are_faster, named_in

AVX2 = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | OPENMP = 1 | "


@pytest.fixture
def built(monkeypatch):
    def build(info):
        monkeypatch.setattr(instructions, "compiled_for", lambda: named_in(info))

    return build


def test_what_is_on_in_llama_cpps_line():
    line = "CUDA : ARCHS = 860 | CPU : AVX2 = 1 | AMX_INT8 = 0 | FMA = 1 | "
    assert named_in(line) == {"AVX2", "FMA"}
    assert named_in("") == frozenset()


@pytest.mark.real
def test_the_library_that_is_loaded_tells():
    assert "SSE3" in compiled_for()


@pytest.mark.real
def test_llama_cpp_is_compiled_without_the_code_that_crashes():
    assert not any(name.startswith("AMX") for name in compiled_for())


def test_floats_are_faster_with_avx2_and_nothing_beyond_it(built):
    built(AVX2)
    assert floats_are_faster()
    built(AVX2.replace("F16C = 1", "F16C = 0"))
    assert not floats_are_faster()
    built("CPU : NEON = 1 | DOTPROD = 1 | ")
    assert not floats_are_faster()


@pytest.mark.parametrize("more", ["AVX512", "AVX512_VNNI", "AVX_VNNI", "AMX_INT8"])
def test_wide_or_fused_integers_are_not_given_up(built, more):
    built(f"{AVX2}{more} = 1 | ")
    assert not floats_are_faster()
