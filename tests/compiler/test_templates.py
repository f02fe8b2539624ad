"""Scalar code that is filled in says what scalar code that is walked says."""

import gc

import numpy as np
import pytest

import wengert as wg
from wengert.compiler.native import code_of
from wengert.compiler.scalar import ScalarCodeError, Scalars
from wengert.compiler.templates import emit, template_of
from wengert.core.primitive import REGISTRY

CODES = sorted({code_of(p) for p in REGISTRY.values() if code_of(p)})


def called(name, dtype, values):
    return f"call double @{name}({', '.join(values)})"


def both(code, operands, working):
    walked, filled, templates = Scalars([], called), Scalars([], called), {}
    for scalars, write in ((walked, walked.emit), (filled, lambda *args: emit(filled, templates, *args))):
        scalars.count = 7
        first = write(code, operands, working)
        yield first, write(code, [first, *operands[1:]], working) if first[1] == working else None, "\n".join(scalars.lines), scalars.count


@pytest.mark.parametrize("working", ["float64", "float32", "int64", "bool"])
def test_the_text_is_the_same(working):
    n_same = 0
    for code in CODES:
        operands = [(f"%x{k}", working) for k in range(4)]
        try:
            walked, filled = both(code, operands, working)
        except ScalarCodeError:  # not for this dtype
            continue
        assert walked == filled, code
        n_same += 1
    assert n_same > {"float64": 100, "float32": 100, "int64": 20, "bool": 10}[working]


def test_a_template_has_gaps_for_operands_and_results():
    found = template_of("a * b + 1", 2, "float64", called)
    assert found.text == "  {2} = fmul double {0}, {1}\n  {3} = fadd double {2}, 0x3FF0000000000000"
    assert (found.n_results, found.value, found.dtype) == (2, "{3}", "float64")


def test_operands_of_other_dtypes_are_walked():
    scalars, templates = Scalars([], called), {}
    emit(scalars, templates, "a + b", [("%x", "float32"), ("%y", "float64")], "float64")
    assert scalars.lines[0] == "  %v1 = fpext float %x to double"
    assert not templates


def test_numbers_in_the_place_of_operands():
    f = wg.jit(lambda x: -(np.float64(2.5) * x) * np.float64(-1.5) + abs(x) * 0.0)
    assert f(np.float64(3.0)) == 2.5 * 3.0 * 1.5


def test_the_collector_rests_only_while_passes_run():
    was = gc.isenabled()
    try:
        for switch in (gc.enable, gc.disable):
            switch()
            before = gc.isenabled()
            assert wg.jit(lambda x: x + 1.0)(2.0) == 3.0
            assert gc.isenabled() == before
    finally:
        (gc.enable if was else gc.disable)()
