"""Programs as C functions: in this process for SciPy and ctypes, and as object files that a C compiler links."""

import ctypes
import gc
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

import wengert as wg
from wengert.compiler.engine import processor
from wengert.compiler.export import Interface, export, header, identifier
from wengert.compiler.lower_callable import SIGNATURES, lower_callable
from wengert.compiler.pipeline import Compiled
from wengert.core.types import type_of
from wengert.errors import ArgumentError, CompileError

TARGETS = [
    "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "arm64-apple-macosx", "x86_64-pc-windows-msvc",
    "riscv64-unknown-linux-gnu", "wasm32-unknown-unknown", "armv7-unknown-linux-gnueabihf", "powerpc64le-unknown-linux-gnu",
]  # fmt: skip


def compiled(f, *args):
    return Compiled(wg.trace(f)(*args))


def types(program):
    return [spec.type for spec in program.inputs], [output.type for output in program.outputs]


def lower(f, args, signature, **options):
    program = compiled(f, *args)
    return lower_callable((program.module.address("entry"), program.plan.workspace), *types(program), signature, keep=program, **options)


# --- in this process -----------------------------------------------------------------------------------------------


def gaussian(x):
    return np.exp(-(x**2)) * np.cos(x)


def test_quad():
    f = lower(wg.grad(gaussian), [np.float64(0.3)], "double (double, void *)")
    value, _ = integrate.quad(f.for_scipy(), 0.0, 1.5)
    assert value == pytest.approx(gaussian(1.5) - gaussian(0.0), abs=1e-12)


def test_quad_of_a_function_with_parameters():
    f = lower(lambda x, a, b: np.sin(a * x) + b, [np.float64(0.0)] * 3, "double (int, double *)")
    value, _ = integrate.quad(f.for_scipy(), 0.0, 2.0, args=(3.0, 0.5))
    assert value == pytest.approx((1 - np.cos(6.0)) / 3 + 1.0)


def test_nquad_of_a_vector():
    f = lower(lambda x: np.sum(x**2), [np.zeros(2)], "double (int, double *, void *)")
    value, _ = integrate.nquad(f.for_scipy(), [(0, 1), (0, 2)])
    assert value == pytest.approx(2 / 3 + 8 / 3)


def test_the_integrator_keeps_the_code():
    low = lower(gaussian, [np.float64(0.3)], "double (double)").for_scipy()
    gc.collect()
    assert integrate.quad(low, 0.0, 1.0)[0] == pytest.approx(integrate.quad(gaussian, 0.0, 1.0)[0])


@pytest.mark.parametrize("signature", SIGNATURES)
def test_numbers_through_every_signature(signature):
    f = lower(gaussian, [np.float64(0.3)], signature)
    place = (ctypes.c_double * 1)(0.7)
    arguments = [1, place] if "int" in signature else [0.7]
    assert f(*arguments, *[None] * signature.endswith("void *)")) == pytest.approx(gaussian(0.7), rel=1e-14)
    assert ctypes.CFUNCTYPE(*SIGNATURES[signature])(f.address)(*arguments, *[None] * signature.endswith("void *)")) == f(
        *arguments, *[None] * signature.endswith("void *)")
    )
    assert signature in repr(f)


def test_a_wrong_length_gives_nan():
    f = lower(lambda x: np.sum(x**2), [np.zeros(3)], "double (int, double *)")
    assert f(3, (ctypes.c_double * 3)(1, 2, 3)) == 14.0
    assert np.isnan(f(2, (ctypes.c_double * 3)(1, 2, 3)))


def test_pointers():
    A, x = np.arange(6.0).reshape(2, 3), np.array([1.0, -1.0, 2.0])
    f = lower(lambda A, x: (A @ x, np.sum(x)), [A, x], "pointers")
    y, total = np.empty(2), np.empty(())
    assert f(A.ctypes.data, x.ctypes.data, y.ctypes.data, total.ctypes.data) == 0
    np.testing.assert_allclose(y, A @ x)
    assert total == 2.0


def test_pointers_of_other_dtypes():
    x, k = np.array([1 + 2j, 3j], "complex64"), np.array([3, 4])
    f = lower(lambda x, k: (x * 2, k + 1, k > 3), [x, k], "pointers")
    out = [np.empty(2, "complex64"), np.empty(2, int), np.empty(2, bool)]
    assert f(x.ctypes.data, k.ctypes.data, *(y.ctypes.data for y in out)) == 0
    np.testing.assert_array_equal(out[0], x * 2)
    np.testing.assert_array_equal(out[1], k + 1)
    np.testing.assert_array_equal(out[2], k > 3)


def test_bound_inputs_are_kept():
    weights = np.array([1.0, 2.0, 3.0])
    f = lower(lambda w, x: np.sum(w * x), [weights, weights], "double (int, double *)", bound={0: weights[::-1]})
    gc.collect()
    assert f(3, (ctypes.c_double * 3)(1, 10, 100)) == 3 + 20 + 100


def test_large_workspaces():
    n = 50_000
    x = np.linspace(0, 1, n)

    def f(x):
        y = np.exp(np.sin(x))
        return np.sum(y / np.sum(y) * x)

    program = compiled(f, x)
    assert program.plan.workspace > 100_000
    low = lower_callable((program.module.address("entry"), program.plan.workspace), *types(program), "double (int, double *)", keep=program)
    assert low(n, x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))) == pytest.approx(f(x), rel=1e-12)


@pytest.mark.parametrize("f, args, signature, message", [
    (lambda x: x * 2, [np.zeros(3)], "double (int, double *)", r"cannot be a C function double \(int, double \*\)"),
    (lambda x: np.sum(x), [np.zeros(3)], "double (double)", "takes one number"),
    (lambda x: np.sum(x), [np.zeros(3, "float32")], "double (int, double *)", "takes float64"),
    (lambda x, y: x * y, [np.float64(1), np.float64(1)], "double (double)", "takes one number"),
    (lambda x: np.sum(x), [np.zeros(3)], "float (float)", "knows no signature 'float"),
])  # fmt: skip
def test_what_does_not_fit(f, args, signature, message):
    with pytest.raises(ArgumentError, match=message):
        lower(f, args, signature)


# --- as object files -----------------------------------------------------------------------------------------------


def exported(f, args, path, names=(), **options):
    program = compiled(f, *args)
    interface = Interface("model", *types(program), names)
    return export(program.program, program.plan, interface, str(path), **options)


def write_main(folder, name, interface_types, values):
    """A program that reads nothing, calls the function and prints every number of the outputs."""
    ins, outs = interface_types
    lines = ['#include "model.h"', "#include <math.h>", "#include <stdio.h>", "int main(void) {"]
    for k, (type_, value) in enumerate(zip(ins, values, strict=True)):
        numbers = ", ".join(float(v).hex().replace("inf", "INFINITY") for v in np.ravel(value))
        lines.append(f"  static const double in{k}[] = {{{numbers}}};")
    sizes = [max(1, int(np.prod(type_.shape, dtype=int))) for type_ in outs]
    lines += [f"  static double out{k}[{n}];" for k, n in enumerate(sizes)]
    arguments = [*(f"in{k}" for k in range(len(ins))), *(f"out{k}" for k in range(len(outs)))]
    lines.append(f"  for (int again = 0; again < 3; again++) if (model({', '.join(arguments)})) return 1;")
    for k, n in enumerate(sizes):
        lines.append(f'  for (int i = 0; i < {n}; i++) printf("%a\\n", out{k}[i]);')
    lines += ["  return 0;", "}"]
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines))
    return path


def run(folder, main, libraries):
    binary = os.path.join(folder, "main")
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    subprocess.run([compiler, "-Wall", "-Werror", "-O1", main, os.path.join(folder, "model.o"), *libraries, "-o", binary], check=True)
    output = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    return np.array([float.fromhex(line) for line in output.split()])


def loss(w, x):
    return np.sum(np.log1p(np.exp(-np.tanh(x @ w)))) + 0.1 * np.sum(w**2)


PROGRAMS = {
    "value and gradient": (wg.value_and_grad(loss), [np.array([0.3, -0.2, 0.5]), np.random.default_rng(0).normal(size=(7, 3))]),
    "special values": (lambda x: (np.exp(x), np.log(x), x / x, np.sqrt(x)), [np.array([0.0, -0.0, 1.0, -1.0, np.inf, 5e-324])]),
    "constants": (lambda x: x * np.arange(5.0) + np.array([1.0, np.pi, -2.0, 1e300, 5e-324]), [np.linspace(-1, 1, 5)]),
    "a large workspace": (lambda x: (y := np.exp(np.sin(x))) / np.sum(y), [np.linspace(0, 1, 20_000)]),
    "a number": (lambda x: x**3 - 2 * x, [np.float64(1.7)]),
}

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("gcc", "cc", "clang"))), reason="no C compiler")


@needs_compiler
@pytest.mark.parametrize("cpu", ["", "native"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_c_program_gets_the_same_numbers(tmp_path, name, cpu):
    f, args = PROGRAMS[name]
    with np.errstate(all="ignore"):
        program = compiled(f, *args)
    assert name != "a large workspace" or program.plan.workspace > 100_000
    object_file, header_file = export(program.program, program.plan, Interface("model", *types(program)), str(tmp_path / "model"), cpu=cpu)
    assert os.path.getsize(object_file) > 0
    main = write_main(tmp_path, "main.c", types(program), args)
    with open(header_file, encoding="utf-8") as file:
        linked = file.readline().partition("link with ")[2].split()
    found = run(tmp_path, main, linked)
    with np.errstate(all="ignore"):
        expected = np.concatenate([np.ravel(y) for y in program(args)])
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target(tmp_path, target):
    object_file, header_file = exported(wg.grad(loss), PROGRAMS["value and gradient"][1], tmp_path / "model", target=target)
    magic = {"linux": b"\x7fELF", "apple": b"\xcf\xfa\xed\xfe", "windows": b"\x64\x86", "wasm32": b"\0asm"}
    with open(object_file, "rb") as file:
        data = file.read(4)
    assert data.startswith(next(value for key, value in magic.items() if key in target))
    with open(header_file, encoding="utf-8") as file:
        assert target in file.read()


def test_only_the_function_is_visible(tmp_path):
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm")
    object_file, _ = exported(wg.grad(loss), PROGRAMS["value and gradient"][1], tmp_path / "model")
    listing = subprocess.run([nm, "-g", object_file], capture_output=True, text=True, check=True).stdout.split("\n")
    defined = [line.split()[-1] for line in listing if " T " in line or " D " in line or " B " in line]
    needed = {line.split()[-1] for line in listing if " U " in line}
    assert defined == ["model"]
    assert not any("wg_" in name or "Py" in name or "wengert" in name for name in needed)


def test_systems_of_equations_ask_for_lapack(tmp_path):
    """Under the names that LAPACK has everywhere, not under those of this process."""
    a = np.eye(10) + 0.1
    object_file, head = exported(np.linalg.solve, [a, np.ones(10)], tmp_path / "model")
    content = Path(object_file).read_bytes()
    assert b"dgetrf_\0" in content
    assert b"wengert_" not in content
    assert "-llapack" in Path(head).read_text()


def elf_symbols(path):
    """The global names that an ELF file of 64 bits defines, and those that it needs."""
    with open(path, "rb") as file:
        data = file.read()
    (start,), (size, count, _) = struct.unpack_from("<Q", data, 40), struct.unpack_from("<HHH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + size * k) for k in range(count)]
    table = next(section for section in sections if section[1] == 2)  # SHT_SYMTAB
    names = data[sections[table[6]][4] :]
    defined, needed = set(), set()
    for at in range(table[4], table[4] + table[5], 24):
        name, info, _, section, _, _ = struct.unpack_from("<IBBHQQ", data, at)
        if info >> 4 == 1:  # STB_GLOBAL
            (defined if section else needed).add(names[name : names.index(b"\0", name)].decode())
    return defined, needed


@pytest.mark.parametrize("target", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"])
def test_symbols_for_every_processor(tmp_path, target):
    f = wg.jit(lambda p, s: {"y": np.exp(p["w"]) * s + p["b"], "t": (np.sum(p["w"]), np.argmax(p["b"]))})
    p = {"w": np.zeros(3000, np.float32), "b": np.zeros(3000, np.float32)}
    object_file, header_file = f.export(str(tmp_path / "model"), p, np.float32(2), target=target)
    defined, needed = elf_symbols(object_file)
    assert defined == {"model"}
    assert needed <= {"expf", "exp", "malloc", "free", "memset", "memcpy"}
    with open(header_file, encoding="utf-8") as file:
        assert "int model(const float *p_b, const float *p_w, const float *s, float *y0, int64_t *y1, float *y2);" in file.read()


def test_a_file_called_as_a_function_of_c(tmp_path):
    object_file, header_file = wg.jit(lambda x: np.exp(x) + 1).export(str(tmp_path / "exp"), 1.0, target="aarch64-unknown-linux-gnu")
    assert elf_symbols(object_file) == ({"exp_"}, {"exp"})
    with open(header_file, encoding="utf-8") as file:
        assert "int exp_(" in file.read()


def test_the_header():
    program = compiled(lambda w, b: (w * 2, b), np.zeros((2, 3)), np.zeros(2, "complex64"))
    interface = Interface("model", *types(program), ["params['w']", "int"], ["out", "out"])
    text = header(interface, processor(), ["-lm"])
    assert "int model(const double *params_w, const float *int_, double *out, float *out_);" in text
    assert "float64[2,3]" in text
    assert "real and imaginary parts in turn" in text


@pytest.mark.parametrize("name, plain", [("x", "x"), ("params['w'][0]", "params_w_0"), ("3x", "_3x"), ("int", "int_"), ("λ", "f"), ("", "f"), ("class", "class_")])
def test_identifiers(name, plain):
    assert identifier(name) == plain


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(ArgumentError, match="Python evaluates: "):
        exported(lambda x: np.linalg.svd(x)[1], [np.eye(3)], tmp_path / "model")
    with pytest.raises(ArgumentError, match="LLVM knows no target 'vax'"):
        exported(gaussian, [np.float64(1)], tmp_path / "model", target="vax")
    with pytest.raises(ArgumentError, match="native"):
        exported(gaussian, [np.float64(1)], tmp_path / "model", target="wasm32-unknown-unknown", cpu="native")
    assert os.listdir(tmp_path) == []


# --- by way of jit -------------------------------------------------------------------------------------------------


def test_containers_several_results_and_failures():
    address = lambda x: ctypes.c_void_p(x.ctypes.data)
    p = {"w": np.arange(3, dtype=np.float32), "b": np.array([1, 5, 2], np.float32)}
    f = wg.jit(lambda p, s: {"y": p["w"] * s + p["b"], "t": (np.sum(p["w"]), np.argmax(p["b"]))})
    low = f.lower_callable(p, np.float32(2), signature="pointers")
    s, total, place, y = np.array(2, np.float32), np.zeros((), np.float32), np.zeros((), np.int64), np.zeros(3, np.float32)
    assert low(*map(address, (p["b"], p["w"], s, total, place, y))) == 0
    assert (total, place, y.tolist()) == (3.0, 1, [1.0, 7.0, 6.0])

    inverse, result = wg.jit(np.linalg.inv).lower_callable(np.eye(2), signature="pointers"), np.zeros((2, 2))
    assert inverse(address(np.eye(2) * 4), address(result)) == 0
    np.testing.assert_array_equal(result, np.eye(2) / 4)
    assert inverse(address(np.zeros((2, 2))), address(result)) != 0
    pick = wg.jit(lambda x, i: x[i.astype(int)]).lower_callable(np.ones(3), np.zeros(2), signature="pointers")
    assert pick(address(np.arange(3.0)), address(np.array([0.0, 2.0])), address(result)) == 0
    assert pick(address(np.arange(3.0)), address(np.array([0.0, 7.0])), address(result)) != 0
    corner = wg.jit(lambda x: np.linalg.inv(x.reshape(2, 2))[0, 0]).lower_callable(np.array([1.0, 0.0, 0.0, 1.0]))
    assert corner.pointer(4, (ctypes.c_double * 4)(2, 0, 0, 2)) == 0.5
    assert np.isnan(corner.pointer(4, (ctypes.c_double * 4)(0, 0, 0, 0)))


def test_a_jitted_function_as_a_c_function():
    a = np.array([2.0])
    f = wg.jit(lambda x: np.sin(a[0] * x))
    low = f.lower_callable(0.0, signature="double (double)")
    assert low(0.3) == pytest.approx(np.sin(0.6), rel=1e-15)
    assert wg.jit(wg.grad(f)).lower_callable(0.0, signature="double (double)")(0.3) == pytest.approx(2 * np.cos(0.6), rel=1e-14)
    a[0] = 3.0
    assert low(0.3) == pytest.approx(np.sin(0.9), rel=1e-15)


def test_captured_arrays_are_in_the_file(tmp_path):
    weights = np.array([1.0, -2.0, 0.5])
    f = wg.jit(lambda x: np.sum(weights * x**2))
    path = str(tmp_path / "model")
    _, header_file = f.export(path, np.zeros(3))
    with open(header_file, encoding="utf-8") as file:
        assert "int model(const double *x, double *y0);" in file.read()
    if any(map(shutil.which, ("gcc", "cc", "clang"))):
        x = np.array([1.0, 2.0, 3.0])
        main = write_main(tmp_path, "main.c", ([type_of(x)], [type_of(np.float64(1))]), [x])
        np.testing.assert_array_equal(run(tmp_path, main, ["-lm"]), f(x))


def test_programs_that_ask_for_values_stay_here(tmp_path):
    f = wg.jit(lambda x: x if x > 0 else -x)
    with pytest.raises(CompileError, match="asks for the values"):
        f.lower_callable(1.0)
    with pytest.raises(CompileError, match="asks for the values"):
        f.export(str(tmp_path / "model"), 1.0)


def test_without_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wg.jit(lambda x: x * 17.25, cache=False)(np.zeros(3))
    before = len(os.listdir(tmp_path / "wengert")) if (tmp_path / "wengert").exists() else 0
    wg.jit(lambda x: x * 17.75, cache=False)(np.zeros(3))
    assert (len(os.listdir(tmp_path / "wengert")) if (tmp_path / "wengert").exists() else 0) == before
    wg.jit(lambda x: x * 17.75)(np.zeros(3))
    assert len(os.listdir(tmp_path / "wengert")) == before + 1
