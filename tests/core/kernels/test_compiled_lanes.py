"""The code of lanes as text: what is written for a processor is only what that processor has."""

from __future__ import annotations

from typing import Any

import pytest
from llvmlite import ir

from sprint.core.kernels import sha256_lanes as lanes


def written(code: Any, triple: str) -> str:
    """Return LLVM's text of a tier's `hash_pairs` for a kind of processor."""
    module = ir.Module()
    module.triple = triple
    pointer = lanes.BYTE_TYPE.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer, pointer]), name="pairs")
    builder = ir.IRBuilder(function.append_basic_block())
    code.hash_pairs(builder, *function.args)
    builder.ret_void()
    return str(module)


@pytest.mark.parametrize("count", [4, 8, 16])
def test_assembly_is_written_only_for_processors_whose_registers_have_a_name(count: int) -> None:
    assert ' asm ""' not in written(lanes.LaneCode(count), "riscv64-unknown-linux-gnu")
    assert '"=v,0"' in written(lanes.LaneCode(count), "x86_64-unknown-linux-gnu")
    assert '"=w,0"' in written(lanes.LaneCode(count), "aarch64-unknown-linux-gnu")


def test_only_the_code_of_avx512_uses_its_instructions() -> None:
    x86 = "x86_64-unknown-linux-gnu"
    assert "avx512" in written(lanes.Avx512Code(), x86)
    assert all("x86" not in written(lanes.LaneCode(count), x86).replace(x86, "") for count in (4, 8, 16))


def test_rounds_are_a_loop_and_not_all_written_out() -> None:
    """All 192 written out overflow the cache of instructions, which took a third longer on a busy machine."""
    text = written(lanes.LaneCode(4), "x86_64-unknown-linux-gnu")
    rotations = 5 * 16 * 6 + 2 * 16 * 4  # 16 rounds of each loop and two ends, and the schedule of two loops
    assert text.count('call <4 x i32> @"llvm.fshr.v4i32"') == rotations
