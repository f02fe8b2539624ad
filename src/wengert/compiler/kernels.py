"""Products of arrays as native functions of this process, compiled when the first program needs them and kept on disk."""

from __future__ import annotations

from functools import cache

from wengert.compiler.emit.multiply import write_products
from wengert.compiler.emit.tiles import Shape
from wengert.compiler.engine import COMPILING, Effort, Module, define_symbol, vector_bits
from wengert.compiler.runtime.library import library

_EFFORT = Effort(passes=0, instructions=2)  # the text is as it is to run: LLVM's passes make it slower, and take four times as long
_NEEDED = """\
declare ptr @wg_take(i64)
declare void @wg_give(ptr)
declare void @wg_parallel(ptr, ptr, i64, i64)
@wg_threads = external global i64
"""


def provide_products(dtypes: frozenset[str]) -> None:
    """Programs that are loaded from now on find `wg_product_f64` or `wg_product_f32`."""
    with COMPILING:
        for dtype in sorted(dtypes):
            _provide(dtype)


@cache
def _provide(dtype: str) -> None:
    bits = max(vector_bits(), 128)
    shape = Shape(dtype, bits)
    define_symbol("wg_threads", library().module.address("wg_threads"))
    module = Module("\n".join([_NEEDED, write_products(dtype, bits), attributes(bits)]), _EFFORT)
    module.keep_forever()
    define_symbol(f"wg_product_{shape.suffix}", module.address(f"wg_product_{shape.suffix}"))


def attributes(bits: int) -> str:
    """Of functions."""
    return f'attributes #0 = {{ nounwind "prefer-vector-width"="{bits}" }}'
