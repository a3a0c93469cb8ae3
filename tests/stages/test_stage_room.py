"""How much a stage will write, so that it is not begun without the room."""

from __future__ import annotations

from math import prod

import pytest

from localdistill import disk_use
from localdistill.markers import mark_done
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.start import adapter_bytes
from localdistill.stages.export import ExportRequest
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.stage_room import need, together
from localdistill.stages.train import TrainRequest
from localdistill.stages.verify import VerifyRequest
from tests.quantization.tiny import Tiny, quantised


@pytest.fixture
def tiny(tmp_path):
    return Tiny.write(tmp_path / "tiny", "qwen3")


def weights(tiny):
    return sum(tensor.nbytes for tensor in tiny.weights().values())


@pytest.fixture
def export(tiny, tmp_path):
    return ExportRequest(
        template=quantised(tiny, "Q8_0").gguf, master=tiny.master, adapter=tmp_path / "adapter",
        merged=tmp_path / "merged", out=tmp_path / "model.gguf",
    )  # fmt: skip


def file_of(export, tiny, quant):
    """Bytes that are counted for the file itself, beside the weights in 16 bits twice."""
    return need(export.model_copy(update={"quant": quant})) - 2 * weights(tiny)


@pytest.mark.parametrize("quant", ["same", "Q8_0", "q8_0"])
def test_a_file_of_its_templates_type_is_as_large_as_that(export, tiny, quant):
    assert file_of(export, tiny, quant) == export.template.stat().st_size


def test_one_of_another_type_is_counted_by_that_type(export, tiny):
    tensors = read_header(export.template).tensors.values()
    values = sum(prod(tensor.shape) for tensor in tensors)
    assert file_of(export, tiny, "BF16") == 2 * values > export.template.stat().st_size
    assert file_of(export, tiny, "Q4_K_M") == int(values * 4.5 / 8)
    assert 0 < file_of(export, tiny, "IQ2_XS") < values
    made = quantised(tiny, "Q4_K_M").gguf.stat().st_size  # never more than it will be
    assert file_of(export, tiny, "Q4_K_M") <= made


def test_a_file_in_16_bits_is_compared_with_no_other(export, tiny):
    once = weights(tiny)
    of_f16 = export.model_copy(update={"template": tiny.gguf})
    assert need(of_f16) == once + tiny.gguf.stat().st_size
    assert file_of(export, tiny, "F16") + once == pytest.approx(once, rel=0.1)


def test_merged_weights_that_are_there_are_not_counted(export, tiny):
    before = need(export)
    export.merged.mkdir()
    mark_done(export.merged)
    assert need(export) == before - weights(tiny)


def test_what_a_killed_export_has_left_is_not_needed_twice(export, tmp_path):
    before = need(export)
    (tmp_path / "merged.partial").mkdir()
    (tmp_path / "merged.partial" / "model.safetensors").write_bytes(bytes(700))
    (tmp_path / "model.gguf.partial").write_bytes(bytes(200))
    (tmp_path / "model.gguf.partial.f16").write_bytes(bytes(100))
    assert need(export) == before - 1000


def test_nor_are_the_checkpoints_of_a_training_that_goes_on(tiny, tmp_path):
    request = TrainRequest(
        model=tiny.master, data=tmp_path / "selected.jsonl", out=tmp_path / "adapter", seed=1
    )
    adapter = adapter_bytes(read_folder(tiny.master), request.rank)
    whole = adapter + disk_use.checkpoints(adapter)
    assert need(request) == whole
    (tmp_path / "adapter.checkpoints").mkdir()
    (tmp_path / "adapter.checkpoints" / "step-1").write_bytes(bytes(3 * adapter))
    assert need(request) == whole - 3 * adapter
    (tmp_path / "adapter.checkpoints" / "step-2").write_bytes(bytes(whole))
    assert need(request) == 0


def test_text_is_counted_and_what_cannot_be_used_is_not(export, tmp_path):
    problems = tmp_path / "p.jsonl"
    generate = GenerateRequest(
        model=tmp_path / "m.gguf", problems=str(problems), out=tmp_path / "completions.jsonl"
    )
    verify = VerifyRequest(
        problems=str(problems), completions=generate.out, out=tmp_path / "verdicts.jsonl"
    )
    assert need(generate) == together(generate, verify) == 0
    problems.write_text('{"id": "p"}\n')
    assert 0 < need(generate) < together(generate, verify)
    before = tmp_path / "before.jsonl"
    before.write_text("12345678\n")
    assert need(generate, [before]) == 9 < together(generate, verify, [before])
    assert need(export.model_copy(update={"master": problems})) == 0
    assert need(export.model_copy(update={"template": problems})) == 0
