"""Scalar code as a loop over arrays: the shortest way from a card's code to machine code."""

import ctypes

import numpy as np

from wengert.compiler.engine import Module, binding, vector_bits
from wengert.compiler.scalar import MEMORY, Scalars
from wengert.compiler.vector_math import VectorMath, provide


def compile_code(code, dtypes, out, working, bits=None):
    """A function of arrays of these dtypes, evaluated entry by entry in one vectorised loop; `bits` is the width of libmvec's vectors."""
    math = VectorMath(vector_bits() if bits is None else bits)
    lines = ["define void @f(ptr %p, ptr noalias %out, i64 %n) #0 {", "entry:"]
    scalars = Scalars(lines, math.call)
    arrays = []
    for k in range(len(dtypes)):
        place = scalars.new(f"getelementptr ptr, ptr %p, i64 {k}")
        arrays.append(scalars.new(f"load ptr, ptr {place}"))
    lines += ["  br label %loop", "loop:", "  %i = phi i64 [0, %entry], [%next, %loop]"]
    values = []
    for array, dtype in zip(arrays, dtypes, strict=True):
        place = scalars.new(f"getelementptr inbounds {MEMORY[dtype]}, ptr {array}, i64 %i")
        value = scalars.new(f"load {MEMORY[dtype]}, ptr {place}")
        values.append((scalars.new(f"trunc i8 {value} to i1") if dtype == "bool" else value, dtype))
    result = scalars.convert(scalars.emit(code, values, working), out)
    result = scalars.new(f"zext i1 {result} to i8") if out == "bool" else result
    place = scalars.new(f"getelementptr inbounds {MEMORY[out]}, ptr %out, i64 %i")
    lines += [f"  store {MEMORY[out]} {result}, ptr {place}", "  %next = add nuw nsw i64 %i, 1"]
    lines += ["  %more = icmp slt i64 %next, %n", "  br i1 %more, label %loop, label %done", "done:", "  ret void", "}"]
    width = max(vector_bits(), 128)
    attributes = [f'attributes #0 = {{ nounwind "prefer-vector-width"="{width}" }}']
    provide(binding(), math.specials())
    text = "\n".join([*lines, *math.declarations(), *attributes])
    module = Module(text)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(module.address("f"))

    def call(*operands):
        operands = [np.ascontiguousarray(x, dtype) for x, dtype in zip(operands, dtypes, strict=True)]
        result = np.empty(operands[0].shape, out)
        pointers = (ctypes.c_void_p * len(operands))(*[x.ctypes.data for x in operands])
        function(ctypes.addressof(pointers), result.ctypes.data, result.size)
        return result

    call.module, call.text = module, text  # the function lives as long as its module
    return call


def ranks(x):
    """Floats by their place among all floats of their dtype, so that neighbours differ by 1 and both zeros are 0."""
    whole = np.int64 if x.dtype == np.float64 else np.int32
    bits = x.view(whole).astype(np.int64)
    return np.where(bits < 0, -(bits & np.iinfo(whole).max), bits)


def units_apart(found, wanted):
    """How many floats two results are apart; infinite where one of them is NaN and the other is not."""
    both, either = np.isnan(found) & np.isnan(wanted), np.isnan(found) | np.isnan(wanted)
    with np.errstate(over="ignore"):  # from one end of the floats to the other
        distance = np.abs(ranks(found) - ranks(wanted)).astype(float)
    distance[np.isinf(found) != np.isinf(wanted)] += 0.0
    return np.where(both, 0, np.where(either, np.inf, np.where(distance < 0, np.inf, distance)))


def special_floats(dtype):
    """Zeros, infinities, NaN, the ends of the range, subnormal numbers, and places where functions change."""
    limits = np.finfo(dtype)
    ends = [limits.tiny, limits.smallest_subnormal, limits.tiny / 4, limits.max, limits.eps, np.inf, 0.0, 1.0, 0.5, 2.0, 3.0]
    places = [0.3, 0.65, 1e-5, np.pi / 2, np.pi, 5.5, 9.1, 26.0, 88.0, 104.0, 700.0, 709.5, 745.0, 1e4, 1e9]
    return np.array([np.nan, *ends, *places, *[-x for x in ends], *[-x for x in places]], dtype)


def floats(dtype, rng, n):
    """Floats of every magnitude, and more of those near 0 and 1."""
    x = np.concatenate([
        rng.uniform(-3, 3, n), rng.uniform(-1, 1, n), rng.uniform(-40, 40, n), rng.uniform(0, 5, n),
        rng.choice([-1, 1], n) * np.exp2(rng.uniform(-149, 127, n)), 1 + rng.choice([-1, 1], n) * np.exp2(rng.uniform(-50, -1, n)),
    ])  # fmt: skip
    wide = rng.choice([-1, 1], n) * np.exp2(rng.uniform(-1074, 1023, n)) if dtype == "float64" else x[:0]
    return np.concatenate([x, wide]).astype(dtype)
