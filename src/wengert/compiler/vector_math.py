"""The functions of libm, with their vector forms in glibc's libmvec where it has them."""

from __future__ import annotations

from wengert.compiler.scalar import LLVM

ARITY = {"pow": 2, "hypot": 2, "atan2": 2, "fmod": 2}
VECTOR = frozenset(  # what libmvec has, from glibc 2.35 on
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh cbrt erf erfc pow hypot atan2".split()
)


class VectorMath:
    """Collects the functions that a module calls, and declares them."""

    def __init__(self, width_bits: int = 512) -> None:
        self.width_bits = width_bits
        self.used: dict[str, tuple[str, str]] = {}  # symbol -> (plain name, dtype)

    def call(self, name: str, dtype: str, values: list[str]) -> str:
        """The text of a call."""
        symbol = name if dtype == "float64" else name + "f"
        self.used[symbol] = (name, dtype)
        kind = LLVM[dtype]
        group = f" #{self.group(symbol)}"
        return f"call {kind} @{symbol}({', '.join(f'{kind} {v}' for v in values)}){group}"

    def group(self, symbol: str) -> int:
        return 10 + list(self.used).index(symbol)

    def vector_symbol(self, symbol: str) -> str | None:
        name, dtype = self.used[symbol]
        if name not in VECTOR or self.width_bits == 0:
            return None
        lanes = self.width_bits // (64 if dtype == "float64" else 32)
        isa = {512: "e", 256: "d", 128: "b"}[self.width_bits]
        return f"_ZGV{isa}N{lanes}{'v' * ARITY.get(name, 1)}_{symbol}"

    def declarations(self) -> list[str]:
        lines, kept = [], []
        for symbol, (name, dtype) in self.used.items():
            kind, arity = LLVM[dtype], ARITY.get(name, 1)
            lines.append(f"declare {kind} @{symbol}({', '.join([kind] * arity)}) #1")
            vector = self.vector_symbol(symbol)
            variant = ""
            if vector is not None:
                lanes = self.width_bits // (64 if dtype == "float64" else 32)
                wide = f"<{lanes} x {kind}>"
                lines.append(f"declare {wide} @{vector}({', '.join([wide] * arity)})")
                kept.append(f"ptr @{vector}")
                variant = f' "vector-function-abi-variant"="_ZGV_LLVM_N{lanes}{"v" * arity}_{symbol}({vector})"'
            lines.append(f"attributes #{self.group(symbol)} = {{ nounwind willreturn memory(none){variant} }}")
        if kept:
            lines.append(f'@llvm.compiler.used = appending global [{len(kept)} x ptr] [{", ".join(kept)}], section "llvm.metadata"')
        return lines
