"""Half precision on processors without instructions for it: what LLVM calls there, by whole numbers.

LLVM calls `__extendhfsf2` and `__truncsfhf2`, which some C libraries have.  The conversions move the fields of a number to their
places; numbers below the normal ones are made by an addition or a subtraction in single precision that shifts their digits.
"""

from __future__ import annotations

from functools import cache

from wengert.compiler.engine import Module, binding, define_symbol, has_symbol, processor

TEXT = """\
define float @wg_extend(half %x) {
  %bits = bitcast half %x to i16
  %all = zext i16 %bits to i32
  %own = and i32 %all, 32767
  %wide = shl i32 %own, 13
  %exponent = and i32 %wide, 260046848
  %moved = add i32 %wide, 939524096
  %is_end = icmp eq i32 %exponent, 260046848
  %ended = add i32 %moved, 939524096
  %is_small = icmp eq i32 %exponent, 0
  %with_one = add i32 %moved, 8388608
  %one = bitcast i32 %with_one to float
  %small = fsub float %one, 0x3F10000000000000
  %small_bits = bitcast float %small to i32
  %usual = select i1 %is_end, i32 %ended, i32 %moved
  %size = select i1 %is_small, i32 %small_bits, i32 %usual
  %sign = and i32 %all, 32768
  %sign_up = shl i32 %sign, 16
  %found = or i32 %size, %sign_up
  %y = bitcast i32 %found to float
  ret float %y
}
define half @wg_truncate(float %x) {
  %all = bitcast float %x to i32
  %own = and i32 %all, 2147483647
  %is_nan = icmp ugt i32 %own, 2139095040
  %is_large = icmp uge i32 %own, 1199570944
  %is_small = icmp ult i32 %own, 947912704
  %size = bitcast i32 %own to float
  %shifted = fadd float %size, 5.000000e-01
  %shifted_bits = bitcast float %shifted to i32
  %small = sub i32 %shifted_bits, 1056964608
  %half_up = lshr i32 %own, 13
  %odd = and i32 %half_up, 1
  %moved = add i32 %own, 3355447295
  %to_even = add i32 %moved, %odd
  %usual = lshr i32 %to_even, 13
  %end = select i1 %is_nan, i32 32256, i32 31744
  %below = select i1 %is_small, i32 %small, i32 %usual
  %number = select i1 %is_large, i32 %end, i32 %below
  %sign_up = lshr i32 %all, 16
  %sign = and i32 %sign_up, 32768
  %found = or i32 %number, %sign
  %short = trunc i32 %found to i16
  %y = bitcast i16 %short to half
  ret half %y
}
"""
NAMES = {"__extendhfsf2": "wg_extend", "__truncsfhf2": "wg_truncate"}


@cache
def provide_half() -> None:
    """Programs that are loaded from now on find the conversions, where they need them."""
    is_native = processor().triple.startswith(("aarch64", "arm64")) or binding().get_host_cpu_features().get("f16c")
    if not is_native and not all(map(has_symbol, NAMES)):
        define_conversions()


def define_conversions() -> None:
    """The conversions, under the names by which LLVM calls them."""
    module = Module(TEXT)
    module.keep_forever()
    for name, own in NAMES.items():
        define_symbol(name, module.address(own))
