"""Matrix products as calls of BLAS, with strong zeros where they are products of derivatives."""

from __future__ import annotations

import math

from wengert.compiler.loops import MatrixProduct, Shape, View, dtype_name
from wengert.compiler.scalar import LLVM, literal

GEMM = {"float64": "wengert_dgemm", "float32": "wengert_sgemm"}

# C, row by row, is the transpose of the column-major product of B and A; %r counts the members of a batch.
_PRODUCT = """\
define internal void @{name}(ptr %left, ptr %right, ptr %result{range}) #0 {{
entry:
{sizes}
  br label %loop
loop:
  %r = phi i64 [0, %entry], [%r_next, %loop]
{offsets}
  %a = getelementptr {kind}, ptr %left, i64 %left_at
  %b = getelementptr {kind}, ptr %right, i64 %right_at
  %c = getelementptr {kind}, ptr %result, i64 %into_at
  call void @{gemm}(ptr @{name}.{tb}, ptr @{name}.{ta}, ptr %np, ptr %mp, ptr %kp, ptr @{name}.one, ptr %b, ptr @{name}.ldb, ptr %a, ptr @{name}.lda, ptr @{name}.zero, ptr %c, ptr @{name}.ldc)
{repair}
  %r_next = add i64 %r, 1
  %more = icmp slt i64 %r_next, {members}
  br i1 %more, label %loop, label %done
done:
  ret void
}}"""

# Where a sum of products is NaN: finite parts only, unless a non-finite factor met a partner that is not zero.
_REPAIR = """\
define internal void @{name}.repair(ptr %a, ptr %b, ptr %c, i64 %m, i64 %k) #0 {{
entry:
  br label %row
row:
  %i = phi i64 [0, %entry], [%i_next, %row_end]
  %ai = mul i64 %i, {ar}
  %ci = mul i64 %i, {ldc}
  %crow = getelementptr inbounds {kind}, ptr %c, i64 %ci
  br label %scan
scan:
  %e = phi i64 [0, %row], [%e_next, %scan]
  %any = phi i1 [false, %row], [%any_next, %scan]
  %at = getelementptr inbounds {kind}, ptr %crow, i64 %e
  %value = load {kind}, ptr %at
  %nan = fcmp uno {kind} %value, %value
  %any_next = or i1 %any, %nan
  %e_next = add nuw nsw i64 %e, 1
  %e_more = icmp slt i64 %e_next, {n}
  br i1 %e_more, label %scan, label %scanned
scanned:
  br i1 %any_next, label %entries, label %row_end
entries:
  %j = phi i64 [0, %scanned], [%j_next, %next]
  %cp = getelementptr inbounds {kind}, ptr %crow, i64 %j
  %cv = load {kind}, ptr %cp
  %broken = fcmp uno {kind} %cv, %cv
  br i1 %broken, label %redo, label %next
redo:
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
  %l_more = icmp slt i64 %l_next, %k
  br i1 %l_more, label %terms, label %store
store:
  %new = select i1 %used_next, {kind} %cv, {kind} %s_next
  store {kind} %new, ptr %cp
  br label %next
next:
  %j_next = add nuw nsw i64 %j, 1
  %j_more = icmp slt i64 %j_next, {n}
  br i1 %j_more, label %entries, label %row_end
row_end:
  %i_next = add nuw nsw i64 %i, 1
  %i_more = icmp slt i64 %i_next, %m
  br i1 %i_more, label %row, label %done
done:
  ret void
}}"""


def write_product(step: MatrixProduct, name: str, rows: str = "") -> str:
    """The text of `void @name(ptr %left, ptr %right, ptr %result)` and what it needs.

    Where the rows of a band are the rows of the product ("m") or are summed over ("k"), it takes a range of them: `i64 %start, i64 %stop`.
    """
    dtype = dtype_name(step.result.dtype)
    *batch, m, k = step.left.shape
    n = step.right.shape[-1]
    ta, lda = layout_of(step.left)
    tb, ldb = layout_of(step.right)
    shifts = {"left": {"m": step.left.strides[-2], "k": step.left.strides[-1]}, "right": {"k": step.right.strides[-2]}, "into": {"m": step.into.strides[-2]}}
    offsets: list[str] = []
    for word, view in (("left", step.left), ("right", step.right), ("into", step.into)):
        offsets += batch_offset(word, view, tuple(batch), shifts[word].get(rows, 0))
    kind = LLVM[dtype]
    sizes, m_now, k_now = sizes_of(name, rows, m, k)
    words = {
        "name": name, "kind": kind, "gemm": GEMM[dtype], "n": n, "members": math.prod(batch), "sizes": sizes,
        "range": ", i64 %start, i64 %stop" if rows else "", "ta": ta, "tb": tb, "offsets": "\n".join(offsets), "zero": literal(0, dtype),
        "ar": step.left.strides[-2], "ac": step.left.strides[-1], "br": step.right.strides[-2], "bc": step.right.strides[-1],
        "ldc": step.into.strides[-2],
        "repair": f"  call void @{name}.repair(ptr %a, ptr %b, ptr %c, i64 {m_now}, i64 {k_now})" if step.is_strong else "",
    }  # fmt: skip
    numbers = {"m": m, "n": n, "k": k, "lda": lda, "ldb": ldb, "ldc": max(step.into.strides[-2], n)}
    constants = [f"@{name}.{key} = internal constant i32 {value}" for key, value in numbers.items()]
    constants += [f"@{name}.{key} = internal constant {kind} {literal(value, dtype)}" for key, value in (("one", 1), ("zero", 0))]
    constants += [f"@{name}.{letter} = internal constant i8 {ord(letter)}" for letter in "NT"]
    repair = [_REPAIR.format(**words)] if step.is_strong else []
    return "\n".join([*constants, *repair, _PRODUCT.format(**words)])


def sizes_of(name: str, rows: str, m: int, k: int) -> tuple[str, str, str]:
    """Where BLAS finds the three lengths, and the two that may be those of a range."""
    lines = []
    for letter in "mkn":
        if letter == rows:
            lines += [
                f"  %{letter}p = alloca i32",
                f"  %{letter}_now = sub i64 %stop, %start",
                f"  %{letter}_short = trunc i64 %{letter}_now to i32",
                f"  store i32 %{letter}_short, ptr %{letter}p",
            ]
        else:
            lines.append(f"  %{letter}p = getelementptr i8, ptr @{name}.{letter}, i64 0")
    return "\n".join(lines), "%m_now" if rows == "m" else str(m), "%k_now" if rows == "k" else str(k)


def layout_of(view: View) -> tuple[str, int]:
    """Whether the rows of a matrix lie one after the other ("N") or its columns do, and how far apart they are."""
    m, n = view.shape[-2:]
    rows, columns = view.strides[-2:]
    if columns == 1:
        return "N", max(rows, n)
    return "T", max(columns, m)


def batch_offset(name: str, view: View, batch: Shape, shift: int) -> list[str]:
    """Where member `%r` of a batch begins, `shift` elements further on for each row before the range."""
    lines, total, rest = [], "0", "%r"
    for axis in reversed(range(len(batch))):
        part = f"%{name}_i{axis}"
        lines.append(f"  {part} = urem i64 {rest}, {batch[axis]}")
        lines.append(f"  {part}_rest = udiv i64 {rest}, {batch[axis]}")
        lines.append(f"  {part}_far = mul i64 {part}, {view.strides[axis]}")
        lines.append(f"  {part}_sum = add i64 {total}, {part}_far")
        total, rest = f"{part}_sum", f"{part}_rest"
    if shift:
        lines.append(f"  %{name}_shift = mul i64 %start, {shift}")
        lines.append(f"  %{name}_from = add i64 %{name}_shift, {total}")
        total = f"%{name}_from"
    lines.append(f"  %{name}_at = add i64 {total}, {view.offset}")
    return lines


def product_declarations() -> list[str]:
    """The functions of BLAS."""
    return [f"declare void @{symbol}({', '.join(['ptr'] * 13)})" for symbol in GEMM.values()]
