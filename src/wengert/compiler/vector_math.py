"""Functions of one number that processors do not have: glibc's libm and its vector forms in libmvec, and SciPy's.

A function of libmvec takes several numbers at once.  A module calls `@one_exp`, which is given to LLVM with two meanings: on
single numbers, and (its attribute `vector-function-abi-variant`) on vectors of full and of half length.  All of them are made of the
same function of libmvec, so that a number has the same image to the last bit wherever it stands: in a vector, in the rest of a
loop, alone, in whichever thread.

::

    @one_exp(x)        lane 0 of @_ZGVeN8v_exp(x, ½, ½, ...)
    @four_exp(v)       lanes 0 to 3 of @_ZGVeN8v_exp(v, ½, ...)

The names are our own, so LLVM takes no libm for granted: it folds no constants with its own and merges no `sin` and `cos`.
They are not internal to the module, or LLVM would change what they take when all calls pass the same number.

Measured against NumPy and against 64-bit mantissas, over the whole range and special values (`tests/compiler/test_accuracy.py`),
libmvec of glibc 2.36 keeps to 4 units in the last place at widths of 128, 256 and 512 bits, but for `THROUGH_DOUBLE`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from wengert import _optional
from wengert.compiler.runtime.python import capsule_name, capsule_pointer
from wengert.compiler.scalar import LLVM, literal, suffix

ARITY = dict.fromkeys(["pow", "hypot", "atan2", "fmod", "nextafter", "betaln"], 2)
VECTOR = frozenset(  # what libmvec has, from glibc 2.35 on
    ["exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p", "pow", "cbrt", "hypot", "erf", "erfc"]
    + [part + name for part in ("", "a") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")]
    + ["atan2"]
)
LIBM = VECTOR | {"fmod", "nextafter"}
THROUGH_DOUBLE = frozenset(["log", "tan", "erf"])  # in single precision libmvec is 6, 5 and 4 units away
SPECIAL = frozenset(  # by native pointer from scipy.special.cython_special
    ["gammaln", "gamma", "psi", "betaln", "erfcx", "erfinv", "erfcinv", "ndtr", "log_ndtr", "ndtri", "i0"]
)
FUNCTIONS = LIBM | SPECIAL
QUIET = {"acosh": 2.0}  # a number that is no special case, for the lanes that nobody asked for; for the others ½
COUNTS = {1: "one", 2: "two", 4: "four", 8: "eight", 16: "sixteen"}
WITH_FMA = 256  # processors with vectors of so many bits multiply and add at once
ISA = {512: "e", 256: "d", 128: "b"}
PURE = "nounwind willreturn memory(none)"


class VectorMath:
    """Collects the functions that a module calls, and writes them."""

    def __init__(self, width_bits: int = 512) -> None:
        self.width_bits = width_bits
        self.used: dict[tuple[str, str], int] = {}  # (name, dtype) -> the number of its attributes
        self.templates: dict[Any, Any] = {}  # scalar code with these calls in it (`wengert.compiler.templates`)

    def call(self, name: str, dtype: str, values: list[str]) -> str:
        """The text of a call."""
        group = self.used.setdefault((name, dtype), 10 + len(self.used))
        kind = LLVM[dtype]
        return f"call {kind} @one_{stem(name, dtype)}({', '.join(f'{kind} {v}' for v in values)}) #{group}"

    def declarations(self) -> list[str]:
        """The functions, after everything that calls them."""
        lines, kept = [], []
        for (name, dtype), group in self._complete().items():
            function = Function(name, dtype, self.width_bits)
            lines += [line for line in function.text() if not line.startswith("declare") or line not in lines]
            variants = function.variants()
            kept += [f"ptr @{symbol}" for _, symbol in variants]
            text = ",".join(f"_ZGV_LLVM_N{n}{'v' * function.arity}_one_{function.stem}({symbol})" for n, symbol in variants)
            attribute = f' "vector-function-abi-variant"="{text}"' if variants else ""
            lines.append(f"attributes #{group} = {{ {PURE}{attribute} }}")
        if kept:  # LLVM would drop the vector functions before its loop vectoriser looks for them
            lines.append(f'@llvm.compiler.used = appending global [{len(kept)} x ptr] [{", ".join(kept)}], section "llvm.metadata"')
        return [*lines, f"attributes #4 = {{ noinline {PURE} }}", f"attributes #5 = {{ {PURE} }}"]

    def _complete(self) -> dict[tuple[str, str], int]:
        """What is used, and what that is made of."""
        for name, dtype in list(self.used):
            if dtype == "float32" and is_through_double(name):
                self.used.setdefault((name, "float64"), 10 + len(self.used))
        return self.used

    def specials(self) -> list[str]:
        """The functions of SciPy that the module calls, for `provide`."""
        return sorted({name for name, _ in self.used if name in SPECIAL})


def stem(name: str, dtype: str) -> str:
    """The name of a function of libm for a dtype."""
    return name if dtype == "float64" else f"{name}f"


def is_through_double(name: str) -> bool:
    """Whether single precision is computed in double."""
    return name in THROUGH_DOUBLE or name in SPECIAL


class Function:
    """One function in one dtype: its scalar form and its vector forms."""

    def __init__(self, name: str, dtype: str, width_bits: int) -> None:
        self.name, self.dtype, self.kind, self.width_bits = name, dtype, LLVM[dtype], width_bits
        self.arity, self.stem = ARITY.get(name, 1), stem(name, dtype)
        self.is_widened = dtype == "float32" and is_through_double(name)
        bits = 64 if dtype == "float64" else 32
        self.is_divided = name == "fmod" and width_bits >= WITH_FMA
        self.lanes = width_bits // bits if name in VECTOR or self.is_divided else 0  # of the vector function; 0: there is none
        self.base = f"_ZGV{ISA.get(width_bits, '')}N{self.lanes}{'v' * self.arity}_{self.stem}"

    def variants(self) -> list[tuple[int, str]]:
        """The vector forms: for how many numbers, and the name."""
        return [(n, self.form(n)) for n in (self.lanes // 2, self.lanes) if n > 1]

    def form(self, n: int) -> str:
        """The name of the form for `n` numbers."""
        is_own = self.is_widened or self.is_divided or n != self.lanes
        return f"{COUNTS[n]}_{self.stem}" if is_own else self.base

    def text(self) -> list[str]:
        """The definitions of all forms."""
        if not self.lanes:
            return self._scalar()
        if self.is_widened or self.is_divided:
            write = self._through_double if self.is_widened else self._divided
            scalar = [f"declare {self.kind} @{self.stem}({self.kind}, {self.kind}) #5"] if self.is_divided else []
            return [*scalar, *[line for n in (1, *[n for n, _ in self.variants()]) for line in write(n)]]
        wide = f"<{self.lanes} x {self.kind}>"
        lines = [f"declare {wide} @{self.base}({', '.join([wide] * self.arity)}) #5"]
        for n in dict.fromkeys((1, self.lanes // 2)):
            lines += self._lanes(n)
        return lines

    def _define(self, n: int, kind: str, body: list[str], inline: str = "#5") -> list[str]:
        parameters = ", ".join(f"{kind} %x{k}" for k in range(self.arity))
        return [f"define linkonce_odr hidden {kind} @{COUNTS[n]}_{self.stem}({parameters}) {inline} {{", *body, f"  ret {kind} %y", "}"]

    def _lanes(self, n: int) -> list[str]:
        """`n` numbers in the first lanes of a full vector."""
        kind, wide = self.kind, f"<{self.lanes} x {self.kind}>"
        own = kind if n == 1 else f"<{n} x {kind}>"
        quiet = f"<{', '.join([f'{kind} {literal(QUIET.get(self.name, 0.5), self.dtype)}'] * self.lanes)}>"
        body = []
        for k in range(self.arity):
            if n == 1:
                body.append(f"  %w{k} = insertelement {wide} {quiet}, {kind} %x{k}, i64 0")
                continue
            body.append(f"  %p{k} = shufflevector {own} %x{k}, {own} poison, {lanes(n, self.lanes)}")
            body.append(f"  %w{k} = shufflevector {wide} %p{k}, {wide} {quiet}, {lanes(n, self.lanes, self.lanes)}")
        body.append(f"  %z = call {wide} @{self.base}({', '.join(f'{wide} %w{k}' for k in range(self.arity))})")
        taken = f"extractelement {wide} %z, i64 0" if n == 1 else f"shufflevector {wide} %z, {wide} poison, {lanes(n, n)}"
        return self._define(n, own, [*body, f"  %y = {taken}"], "#4" if n == 1 else "#5")

    def _through_double(self, n: int) -> list[str]:
        """`n` numbers of single precision, in as many double vectors as they take."""
        half = self.lanes // 2
        narrow, wide = (kind if n == 1 else f"<{n} x {kind}>" for kind in ("float", "double"))
        body = [f"  %d{k} = fpext {narrow} %x{k} to {wide}" for k in range(self.arity)]
        if n <= max(half, 1):
            arguments = ", ".join(f"{wide} %d{k}" for k in range(self.arity))
            symbol = Function(self.name, "float64", self.width_bits).form(n)
            body.append(f"  %r = call {wide} @{symbol}({arguments})")
        else:
            body += self._halves(n)
        return self._define(n, narrow, [*body, f"  %y = fptrunc {wide} %r to {narrow}"], "#4" if n == 1 else "#5")

    def _halves(self, n: int) -> list[str]:
        half, wide = n // 2, f"<{n} x double>"
        part, body = f"<{half} x double>", []
        for h in range(2):
            for k in range(self.arity):
                chosen = f"<{half} x i32> <{', '.join(f'i32 {j + h * half}' for j in range(half))}>"
                body.append(f"  %h{h}{k} = shufflevector {wide} %d{k}, {wide} poison, {chosen}")
            arguments = ", ".join(f"{part} %h{h}{k}" for k in range(self.arity))
            symbol = Function(self.name, "float64", self.width_bits).form(half)
            body.append(f"  %r{h} = call {part} @{symbol}({arguments})")
        return [*body, f"  %r = shufflevector {part} %r0, {part} %r1, {lanes(n, n)}"]

    def _divided(self, n: int) -> list[str]:
        """`fmod(a, b) = a - b trunc(a / b)`, exact with one rounding at the end of product and sum.

        The quotient is rounded, and may reach the next whole number, never the one before: then `b` is added back, which is exact
        too.  Where it has more digits than a float, or is none, and where `b` is infinite, libm is asked.
        """
        kind, types = (self.kind, suffix(self.dtype)) if n == 1 else (f"<{n} x {self.kind}>", f"v{n}{suffix(self.dtype)}")
        limit = literal(2.0**52 if self.dtype == "float64" else 2.0**23, self.dtype)
        numbers = [limit, literal(math.inf, self.dtype), literal(0, self.dtype)]
        most, infinite, zero = numbers if n == 1 else [f"<{', '.join([f'{self.kind} {c}'] * n)}>" for c in numbers]
        truth = "i1" if n == 1 else f"<{n} x i1>"
        every = "select i1 %fits, i1 true, i1 false" if n == 1 else f"call i1 @llvm.vector.reduce.and.v{n}i1({truth} %fits)"
        lines = [
            f"  %a = call {kind} @llvm.fabs.{types}({kind} %x0)", f"  %b = call {kind} @llvm.fabs.{types}({kind} %x1)",
            f"  %q = fdiv {kind} %a, %b", f"  %small = fcmp olt {kind} %q, {most}", f"  %finite = fcmp olt {kind} %b, {infinite}",
            f"  %fits = and {truth} %small, %finite", f"  %every = {every}", "  br i1 %every, label %fast, label %slow", "fast:",
            f"  %whole = call {kind} @llvm.trunc.{types}({kind} %q)", f"  %minus = fneg {kind} %whole",
            f"  %rest = call {kind} @llvm.fma.{types}({kind} %minus, {kind} %b, {kind} %a)",
            f"  %over = fcmp olt {kind} %rest, {zero}", f"  %back = fadd {kind} %rest, %b",
            f"  %size = select {truth} %over, {kind} %back, {kind} %rest",
            f"  %z = call {kind} @llvm.copysign.{types}({kind} %size, {kind} %x0)", "  br label %end", "slow:",
        ]  # fmt: skip
        slow = "%s" if n == 1 else "poison"
        if n == 1:
            lines.append(f"  %s = call {kind} @{self.stem}({kind} %x0, {kind} %x1)")
        for j in range(n if n > 1 else 0):
            lines += [f"  %a{j} = extractelement {kind} %x0, i64 {j}", f"  %b{j} = extractelement {kind} %x1, i64 {j}"]
            lines.append(f"  %f{j} = call {self.kind} @{self.stem}({self.kind} %a{j}, {self.kind} %b{j})")
            lines.append(f"  %s{j} = insertelement {kind} {slow}, {self.kind} %f{j}, i64 {j}")
            slow = f"%s{j}"
        lines += ["  br label %end", "end:", f"  %y = phi {kind} [%z, %fast], [{slow}, %slow]"]
        return self._define(n, kind, lines, "#4" if n == 1 else "#5")

    def _scalar(self) -> list[str]:
        """Where there are no vectors: libm's or SciPy's function itself."""
        if self.is_widened:
            return self._through_double(1) if self.name in SPECIAL else self._renamed()
        return self._renamed()

    def _renamed(self) -> list[str]:
        if self.name == "exp10":  # which only glibc has
            ten, symbol = literal(10, self.dtype), stem("pow", self.dtype)
            body = f"  %y = call {self.kind} @{symbol}({self.kind} {ten}, {self.kind} %x0)"
            return [f"declare {self.kind} @{symbol}({self.kind}, {self.kind}) #5", *self._define(1, self.kind, [body])]
        symbol = f"scipy_{self.name}" if self.name in SPECIAL else self.stem
        declared = f"declare {self.kind} @{symbol}({', '.join([self.kind] * self.arity)}) #5"
        arguments = ", ".join(f"{self.kind} %x{k}" for k in range(self.arity))
        return [declared, *self._define(1, self.kind, [f"  %y = call {self.kind} @{symbol}({arguments})"])]


def lanes(n: int, total: int, then: int | None = None) -> str:
    """A shuffle that takes the first `n` lanes, and for the rest those of the second vector from `then` on, or none."""
    rest = ["i32 poison"] * (total - n) if then is None else [f"i32 {then + j}" for j in range(n, total)]
    return f"<{total} x i32> <{', '.join([*[f'i32 {j}' for j in range(n)], *rest])}>"


# --- SciPy's functions ------------------------------------------------------------------------------------------------


def address_of_special(name: str) -> int:
    """Where the function of doubles begins that SciPy's own compiled code would call.

    A function of several types is there once for each, under names with numbers; the capsules tell their types.
    """
    table = _optional.load("scipy.special.cython_special", "a special function", "scipy").__pyx_capi__
    for symbol in (name, *[f"__pyx_fuse_{k}{name}" for k in range(4)]):
        capsule = table.get(symbol)
        if capsule is not None:
            signature = capsule_name(capsule)
            result, _, parameters = signature.decode().rstrip(")").partition(" (")
            kinds = {kind for kind in parameters.split(", ") if not kind.startswith("int __pyx_skip")}
            if {result, *kinds} == {"double"}:
                return capsule_pointer(capsule)
    msg = f"SciPy has no native {name} of doubles"
    raise LookupError(msg)


def provide(llvm: Any, names: Iterable[str]) -> None:
    """Make functions of SciPy known to LLVM's linker, under the names by which modules call them."""
    for name in names:
        llvm.add_symbol(f"scipy_{name}", address_of_special(name))
