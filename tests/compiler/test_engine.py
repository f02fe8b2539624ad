"""LLVM text to machine code: addresses, effort by size, tables, lifetimes, and what a machine without llvmlite says."""

import ctypes
import gc
import os
import subprocess
import sys

import pytest

from wengert.compiler import engine
from wengert.compiler.engine import Effort, Module, assembly, optimised

SQUARE = """
@table = global [2 x ptr] zeroinitializer
define void @square(ptr %p) {
  %x = load double, ptr %p
  %y = fmul double %x, %x
  store double %y, ptr %p
  ret void
}
"""


def squared(module, x):
    value = ctypes.c_double(x)
    module.function("square")(ctypes.addressof(value))
    return value.value


def straight_line(n):
    lines = [f"  %v{k + 1} = fmul double %v{k}, 0x3FF0000010000000" for k in range(1, n)]
    return "define double @f(double %v1) {\n" + "\n".join(lines) + f"\n  ret double %v{n}\n}}\n"


@pytest.mark.parametrize("effort", [None, Effort(0, 0), Effort(1, 1), Effort(3, 3, packs=True)])
def test_a_module_runs(effort):
    assert squared(Module(SQUARE, effort, cache=False), 3.0) == 9.0


def test_what_it_shows():
    assert "fmul double" in optimised(SQUARE)
    assert "square" in assembly(SQUARE)


def test_tables_are_filled():
    module = Module(SQUARE, cache=False)
    module.fill("table", [12345, 67890])
    assert list((ctypes.c_void_p * 2).from_address(module.address("table"))) == [12345, 67890]


def test_two_modules_have_their_own_tables():
    one, other = Module(SQUARE), Module(SQUARE)
    one.fill("table", [1, 2])
    other.fill("table", [3, 4])
    assert list((ctypes.c_void_p * 2).from_address(one.address("table"))) == [1, 2]


def test_text_that_is_wrong_is_refused():
    with pytest.raises(RuntimeError, match="expected"):
        Module("define void @f( {", cache=False)
    with pytest.raises(RuntimeError, match="dominate"):
        Module("define double @f() {\n  %b = fadd double %a, 1.0\n  %a = fadd double 1.0, 1.0\n  ret double %b\n}", cache=False)


def test_effort_falls_with_size():
    loop = "br i1 %more, label %loop, label %exit\n"
    efforts = [engine.plan(loop + "\n" * n) for n in (10, 2000, 60_000, 300_000)]
    assert [effort.passes for effort in efforts] == [2, 2, 1, 0]
    assert [effort.packs for effort in efforts] == [True, False, False, False]


def test_long_code_without_a_loop_gets_no_passes():
    assert engine.plan("\n" * 500).passes == 2
    assert engine.plan("br label %loop\n" * 2000).passes == 2
    assert engine.plan("%x = phi double [%a, %b]\n" * 2000).passes == 2
    assert (engine.plan("\n" * 2000).passes, engine.plan("\n" * 2000).instructions) == (0, 0)


def test_loops_with_calls_of_the_vector_library_are_not_interleaved():
    assert engine.plan(SQUARE).interleaves
    assert not engine.plan(SQUARE + "declare <8 x double> @_ZGVeN8v_exp(<8 x double>)\n").interleaves


def test_straight_line_code_compiles_at_every_effort():
    for n in (100, 3000, 21_000):
        module = Module(straight_line(n), cache=False)
        f = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(module.address("f"))
        assert f(1.0) == pytest.approx((1 + 2**-24) ** (n - 1), rel=1e-12)


def test_symbols_of_this_process():
    callback = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x + 0.5)
    engine.define_symbol("test_engine_half_more", ctypes.cast(callback, ctypes.c_void_p).value)
    module = Module(
        "declare double @test_engine_half_more(double)\n"
        "define void @f(ptr %p) {\n  %x = load double, ptr %p\n  %y = call double @test_engine_half_more(double %x)\n"
        "  store double %y, ptr %p\n  ret void\n}"
    )
    value = ctypes.c_double(2.0)
    module.function("f")(ctypes.addressof(value))
    assert value.value == 2.5
    assert engine.has_symbol("test_engine_half_more")
    assert not engine.has_symbol("test_engine_no_such_function")


def test_vectors_fit_the_machine():
    letter, bits = engine.vector_abi()
    assert (letter, bits) in {("e", 512), ("d", 256), ("b", 128), ("n", 128), ("", 0)}
    assert engine.vector_bits() == bits


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="measures memory where Linux shows it")
def test_loaded_code_is_let_go():
    def load(n):
        for _ in range(n):
            assert squared(Module(SQUARE), 2.0) == 4.0
        gc.collect()

    load(50)
    before = resident()
    load(300)
    assert resident() - before < 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="measures memory where Linux shows it")
def test_what_passes_have_noted_is_let_go():
    text = SQUARE + "".join(straight_line(50).replace("@f(", f"@f{k}(") for k in range(20))

    def compile_it(n):
        for _ in range(n):
            Module(text, Effort(2, 1), cache=False)
        gc.collect()

    compile_it(10)
    before = resident()
    compile_it(50)
    assert resident() - before < 50 * 20_000  # with the passes themselves it would be 60,000 bytes and more each


def test_without_llvmlite_the_advice_is_to_install_it():
    program = (
        "import sys; sys.modules['llvmlite'] = None\n"
        "import numpy as np, wengert as wg\n"
        "try:\n    wg.jit(lambda x: x * 2)(np.ones(3))\n"
        "except ImportError as error:\n    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'wengert[jit]'" in result.stdout
