"""Matrix products as calls of BLAS, with strong zeros where they are products of derivatives."""

from __future__ import annotations

import math

from wengert.compiler.loops import MatrixProduct, Shape, View, dtype_name
from wengert.compiler.scalar import LLVM, literal

GEMM = {"float64": "wengert_dgemm", "float32": "wengert_sgemm"}

# C, row by row, is the transpose of the column-major product of B and A; %r counts the members of a batch.
_PRODUCT = """\
define internal void @{name}(ptr %left, ptr %right, ptr %result) #0 {{
entry:
  br label %loop
loop:
  %r = phi i64 [0, %entry], [%r_next, %loop]
{offsets}
  %a = getelementptr {kind}, ptr %left, i64 %left_at
  %b = getelementptr {kind}, ptr %right, i64 %right_at
  %c_at = mul i64 %r, {mn}
  %c = getelementptr {kind}, ptr %result, i64 %c_at
  call void @{gemm}(ptr @{name}.{tb}, ptr @{name}.{ta}, ptr @{name}.n, ptr @{name}.m, ptr @{name}.k, ptr @{name}.one, ptr %b, ptr @{name}.ldb, ptr %a, ptr @{name}.lda, ptr @{name}.zero, ptr %c, ptr @{name}.n)
{repair}
  %r_next = add i64 %r, 1
  %more = icmp slt i64 %r_next, {members}
  br i1 %more, label %loop, label %done
done:
  ret void
}}"""

# Where a sum of products is NaN: finite parts only, unless a non-finite factor met a partner that is not zero.
_REPAIR = """\
define internal void @{name}.repair(ptr %a, ptr %b, ptr %c) #0 {{
entry:
  br label %scan
scan:
  %e = phi i64 [0, %entry], [%e_next, %scan]
  %any = phi i1 [false, %entry], [%any_next, %scan]
  %at = getelementptr inbounds {kind}, ptr %c, i64 %e
  %value = load {kind}, ptr %at
  %nan = fcmp uno {kind} %value, %value
  %any_next = or i1 %any, %nan
  %e_next = add nuw nsw i64 %e, 1
  %e_more = icmp slt i64 %e_next, {mn}
  br i1 %e_more, label %scan, label %scanned
scanned:
  br i1 %any_next, label %entries, label %done
entries:
  %f = phi i64 [0, %scanned], [%f_next, %next]
  %cp = getelementptr inbounds {kind}, ptr %c, i64 %f
  %cv = load {kind}, ptr %cp
  %broken = fcmp uno {kind} %cv, %cv
  br i1 %broken, label %redo, label %next
redo:
  %i = udiv i64 %f, {n}
  %j = urem i64 %f, {n}
  %ai = mul i64 %i, {ar}
  %bj = mul i64 %j, {bc}
  br label %terms
terms:
  %l = phi i64 [0, %redo], [%l_next, %terms]
  %s = phi {kind} [{zero}, %redo], [%s_next, %terms]
  %used = phi i1 [false, %redo], [%used_next, %terms]
  %al = mul i64 %l, {ac}
  %bl = mul i64 %l, {br}
  %aij = add i64 %ai, %al
  %bij = add i64 %bj, %bl
  %ap = getelementptr inbounds {kind}, ptr %a, i64 %aij
  %bp = getelementptr inbounds {kind}, ptr %b, i64 %bij
  %x = load {kind}, ptr %ap
  %y = load {kind}, ptr %bp
  %xs = fsub {kind} %x, %x
  %ys = fsub {kind} %y, %y
  %x_wild = fcmp uno {kind} %xs, %xs
  %y_wild = fcmp uno {kind} %ys, %ys
  %x_some = fcmp une {kind} %x, {zero}
  %y_some = fcmp une {kind} %y, {zero}
  %x_meets = and i1 %x_wild, %y_some
  %y_meets = and i1 %y_wild, %x_some
  %meets = or i1 %x_meets, %y_meets
  %used_next = or i1 %used, %meets
  %xf = select i1 %x_wild, {kind} {zero}, {kind} %x
  %yf = select i1 %y_wild, {kind} {zero}, {kind} %y
  %xy = fmul {kind} %xf, %yf
  %s_next = fadd {kind} %s, %xy
  %l_next = add nuw nsw i64 %l, 1
  %l_more = icmp slt i64 %l_next, {k}
  br i1 %l_more, label %terms, label %store
store:
  %new = select i1 %used_next, {kind} %cv, {kind} %s_next
  store {kind} %new, ptr %cp
  br label %next
next:
  %f_next = add nuw nsw i64 %f, 1
  %f_more = icmp slt i64 %f_next, {mn}
  br i1 %f_more, label %entries, label %done
done:
  ret void
}}"""


def write_product(step: MatrixProduct, name: str) -> str:
    """The text of one function `void @name(ptr %left, ptr %right, ptr %result)` and what it needs."""
    dtype = dtype_name(step.result.dtype)
    *batch, m, k = step.left.shape
    n = step.right.shape[-1]
    ta, lda = layout_of(step.left)
    tb, ldb = layout_of(step.right)
    offsets = [*batch_offset("left", step.left, tuple(batch)), *batch_offset("right", step.right, tuple(batch))]
    kind = LLVM[dtype]
    words = {
        "name": name, "kind": kind, "gemm": GEMM[dtype], "m": m, "n": n, "k": k, "mn": m * n, "members": math.prod(batch),
        "ta": ta, "tb": tb, "offsets": "\n".join(offsets), "zero": literal(0, dtype),
        "ar": step.left.strides[-2], "ac": step.left.strides[-1], "br": step.right.strides[-2], "bc": step.right.strides[-1],
        "repair": f"  call void @{name}.repair(ptr %a, ptr %b, ptr %c)" if step.is_strong else "",
    }  # fmt: skip
    numbers = {"m": m, "n": n, "k": k, "lda": lda, "ldb": ldb}
    constants = [f"@{name}.{key} = internal constant i32 {value}" for key, value in numbers.items()]
    constants += [f"@{name}.{key} = internal constant {kind} {literal(value, dtype)}" for key, value in (("one", 1), ("zero", 0))]
    constants += [f"@{name}.{letter} = internal constant i8 {ord(letter)}" for letter in "NT"]
    repair = [_REPAIR.format(**words)] if step.is_strong else []
    return "\n".join([*constants, *repair, _PRODUCT.format(**words)])


def layout_of(view: View) -> tuple[str, int]:
    """Whether the rows of a matrix lie one after the other ("N") or its columns do, and how far apart they are."""
    m, n = view.shape[-2:]
    rows, columns = view.strides[-2:]
    if columns == 1 or n == 1:
        return "N", max(rows, n)
    return "T", max(columns, m)


def batch_offset(name: str, view: View, batch: Shape) -> list[str]:
    """Where member `%r` of a batch begins."""
    lines, total, rest = [], "0", "%r"
    for axis in reversed(range(len(batch))):
        part = f"%{name}_i{axis}"
        lines.append(f"  {part} = urem i64 {rest}, {batch[axis]}")
        lines.append(f"  {part}_rest = udiv i64 {rest}, {batch[axis]}")
        lines.append(f"  {part}_far = mul i64 {part}, {view.strides[axis]}")
        lines.append(f"  {part}_sum = add i64 {total}, {part}_far")
        total, rest = f"{part}_sum", f"{part}_rest"
    lines.append(f"  %{name}_at = add i64 {total}, {view.offset}")
    return lines


def product_declarations() -> list[str]:
    """The functions of BLAS."""
    return [f"declare void @{symbol}({', '.join(['ptr'] * 13)})" for symbol in GEMM.values()]
