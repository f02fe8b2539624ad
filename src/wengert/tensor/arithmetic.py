"""Operators and functions of each entry, on PyTorch's terms: its names, its promotion, Python's numbers weak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.core.array import FRONT
from wengert.core.primitive import Primitive
from wengert.core.trace import Tracer
from wengert.primitives.align import common_shape
from wengert.primitives.elementwise import broadcasting
from wengert.primitives.structure import imag as imag_part
from wengert.primitives.structure import real as real_part
from wengert.tensor.dtypes import get_default_dtype, of_number, result_type
from wengert.tensor.traced import TAPE, Tensor, as_dtype, method, operand, plain

_NUMBERS = (float, int, complex, bool)


def met(a: Any, b: Any, *, divides: bool = False) -> tuple[Any, Any]:
    """Two operands under their common dtype; a number stays one, where it does not widen the other."""
    a, b = _as_operand(a), _as_operand(b)
    dtype = result_type((a, b))
    if divides and dtype.kind in "iub":
        dtype = get_default_dtype()
    return _fitted(a, dtype), _fitted(b, dtype)


def _as_operand(x: Any) -> Any:
    if type(x) in _NUMBERS:
        return x
    return x.item() if isinstance(x, np.generic) else operand(x)


def _fitted(x: Any, dtype: np.dtype[Any]) -> Any:
    kind = type(x)
    if kind not in _NUMBERS:
        return as_dtype(x, dtype)
    return x if of_number(kind).kind == dtype.kind or kind in (int, float) and dtype.kind in "fc" else dtype.type(x)


def binary(ufunc: Any, *, divides: bool = False, is_operator: bool = False) -> Callable[[Any, Any], Any]:
    """`f(a, b)` for a function of NumPy's: the card that it is, after PyTorch's promotion.

    An operator leaves to the other operand what it does not know.
    """
    card = FRONT[ufunc]
    is_card = isinstance(card, Primitive)  # functions that are none see to all themselves
    spreading = broadcasting(card) if is_card and card.family == "elementwise" else card
    two = TAPE.two

    def operate(input: Any, other: Any) -> Any:
        kind = type(other)
        if type(input) is Tensor and is_card:  # the usual cases first: a small operation costs no more than this
            x = input.value
            if kind is Tensor:
                y = other.value
                if x.dtype is y.dtype and (not divides or x.dtype.kind in "fc"):
                    if x.shape == y.shape:
                        return two(card, x, y, input.extra, other.extra)
                    try:
                        return two(spreading, x, y, input.extra, other.extra)
                    except ValueError:
                        common_shape((x, y))  # which says what is wrong
                        raise
            elif (kind is float or kind is int) and x.dtype.kind in "fc":
                return two(card, x, other, input.extra, None)
        elif kind is Tensor and is_card and (type(input) is float or type(input) is int) and other.value.dtype.kind in "fc":
            return two(card, input, other.value, None, other.extra)
        if is_operator and not (_is_operand(input) and _is_operand(other)):
            return NotImplemented
        a, b = met(input, other, divides=divides)
        return card(a, b)

    return operate


def _operators(name: str, operate: Callable[[Any, Any], Any]) -> None:
    """`a + b`, `b + a` and `a += b` of tensors."""

    def reflected(self: Any, other: Any) -> Any:
        return operate(other, self)

    def in_place(self: Any, other: Any) -> Any:
        new = operate(self, other)
        return new if new is NotImplemented else write(self, new)

    setattr(Tensor, f"__{name}__", operate)
    setattr(Tensor, f"__r{name}__", reflected)
    setattr(Tensor, f"__i{name}__", in_place)


def _is_operand(x: Any) -> bool:
    return type(x) in _KNOWN or isinstance(x, (Tracer, np.ndarray, np.generic, bool))


_KNOWN = {Tensor, float, int, complex, bool}


def write(x: Any, new: Any) -> Any:
    """`x` with the values of `new`, in the dtype of `x`, which must be able to hold them."""
    if new.dtype is not x.dtype and new.dtype != x.dtype:
        if "biufc".index(new.dtype.kind.replace("u", "i")) > "biufc".index(x.dtype.kind.replace("u", "i")):
            msg = f"result type {new.dtype} can't be cast to the desired output type {x.dtype}"
            raise TypeError(msg)
        new = as_dtype(new, x.dtype)
    return x._replace(new)


def scaled_sum(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """`add` and `sub`, with a factor for the second operand."""

    def operate(input: Any, other: Any, *, alpha: Any = 1) -> Any:
        return function(input, other if alpha == 1 else mul(other, alpha))

    return operate


_add, _sub = binary(np.add), binary(np.subtract)
add, sub = scaled_sum(_add), scaled_sum(_sub)
mul, pow = binary(np.multiply), binary(np.power)
true_divide = binary(np.true_divide, divides=True)
floor_divide, remainder = binary(np.floor_divide), binary(np.remainder)
fmod, atan2, hypot = binary(np.fmod), binary(np.arctan2, divides=True), binary(np.hypot)
maximum, minimum = binary(np.maximum), binary(np.minimum)
fmax, fmin, logaddexp = binary(np.fmax), binary(np.fmin), binary(np.logaddexp, divides=True)
eq, ne, lt, le = binary(np.equal), binary(np.not_equal), binary(np.less), binary(np.less_equal)
gt, ge = binary(np.greater), binary(np.greater_equal)
bitwise_and, bitwise_or, bitwise_xor = binary(np.bitwise_and), binary(np.bitwise_or), binary(np.bitwise_xor)
multiply, subtract, greater, greater_equal, less, less_equal, not_equal = mul, sub, gt, ge, lt, le, ne

for _name, _ufunc in (
    ("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("floordiv", np.floor_divide), ("mod", np.remainder),
    ("pow", np.power), ("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor),
):  # fmt: skip
    _operators(_name, binary(_ufunc, is_operator=True))
_operators("truediv", binary(np.true_divide, divides=True, is_operator=True))
for _name, _ufunc in (
    ("eq", np.equal), ("ne", np.not_equal), ("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal),
):  # fmt: skip
    setattr(Tensor, f"__{_name}__", binary(_ufunc, is_operator=True))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`input / other`, rounded down (`"floor"`) or towards zero (`"trunc"`) where asked."""
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    quotient = trunc(true_divide(input, other))
    return as_dtype(quotient, result_type(tuple(map(_as_operand, (input, other)))))


divide = div


# --- functions of one operand --------------------------------------------------------------------------------------------


def floating(x: Any) -> Any:
    """A tensor of floating or complex numbers: whole numbers become the default dtype."""
    x = x if type(x) is Tensor else operand(x)
    return as_dtype(x, get_default_dtype()) if x.dtype.kind in "iub" else x


def unary(ufunc: Any, *, keeps_integers: bool = False) -> Callable[..., Any]:
    """`f(a)` for a function of NumPy's."""
    card = FRONT[ufunc]
    one = TAPE.one if isinstance(card, Primitive) else lambda front, operand: front(operand)

    def operate(input: Any) -> Any:
        if type(input) is Tensor and input.value.dtype.kind in "fc":
            return one(card, input)
        return card(operand(input) if keeps_integers else floating(input))

    return operate


exp, exp2, expm1, log, log2, log10, log1p = map(unary, (np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p))
sqrt, sin, cos, tan, sinh, cosh, tanh = map(unary, (np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh))
asin, acos, atan, asinh = map(unary, (np.arcsin, np.arccos, np.arctan, np.arcsinh))
acosh, atanh, reciprocal, deg2rad, rad2deg = map(unary, (np.arccosh, np.arctanh, np.reciprocal, np.deg2rad, np.rad2deg))
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
neg, square = unary(np.negative, keeps_integers=True), unary(np.square, keeps_integers=True)
abs = unary(np.absolute, keeps_integers=True)
floor, ceil = unary(np.floor, keeps_integers=True), unary(np.ceil, keeps_integers=True)
trunc, rint = unary(np.trunc, keeps_integers=True), unary(np.rint, keeps_integers=True)
isnan, isinf, isfinite = (unary(f, keeps_integers=True) for f in (np.isnan, np.isinf, np.isfinite))
logical_not, bitwise_not = unary(np.logical_not, keeps_integers=True), unary(np.invert, keeps_integers=True)
negative, absolute = neg, abs
Tensor.__neg__ = neg  # type: ignore[method-assign]
Tensor.__abs__ = abs  # type: ignore[method-assign]
Tensor.__invert__ = bitwise_not  # type: ignore[method-assign]


def logical_and(input: Any, other: Any) -> Any:
    """Whether both are true."""
    return np.logical_and(operand(input), operand(other))


def logical_or(input: Any, other: Any) -> Any:
    """Whether either is true."""
    return np.logical_or(operand(input), operand(other))


def logical_xor(input: Any, other: Any) -> Any:
    """Whether one is true and the other not."""
    return np.logical_xor(operand(input), operand(other))


def round(input: Any, *, decimals: int = 0) -> Any:
    """To the nearest whole number, halves to the even one."""
    return np.round(operand(input), decimals)


def sign(input: Any) -> Any:
    """-1, 0 or 1; of a complex number the one of length 1 in its direction (PyTorch's `sgn`)."""
    return np.sign(operand(input))


def frac(input: Any) -> Any:
    """What is behind the point."""
    return input - trunc(input)


def rsqrt(input: Any) -> Any:
    """`1 / √x`."""
    return reciprocal(sqrt(input))


def sigmoid(input: Any) -> Any:
    """`1 / (1 + e⁻ˣ)`, as `(1 + tanh(x / 2)) / 2`, which cannot overflow."""
    return _add(mul(tanh(mul(floating(input), 0.5)), 0.5), 0.5)


def logit(input: Any, eps: float | None = None) -> Any:
    """`log(p / (1 - p))`."""
    p = floating(input) if eps is None else clamp(floating(input), eps, 1 - eps)
    return log(true_divide(p, _sub(1, p)))


def relu(input: Any) -> Any:
    """`max(x, 0)`; the slope at 0 is ½, the mean of both sides."""
    return maximum(input, 0.0 if input.dtype.kind == "f" else 0)


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """`x` where it is positive, and a little of it elsewhere."""
    x = floating(input)
    return np.where(gt(x, 0), x, mul(x, negative_slope))


def softplus(input: Any, beta: float = 1.0) -> Any:
    """`log(1 + e^(β x)) / β`."""
    return mul(logaddexp(mul(floating(input), beta), 0.0), 1.0 / beta)


def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """`x` kept between two bounds; at a bound the slope is ½, the mean of both sides."""
    x = operand(input)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


clip = clamp


def lerp(input: Any, end: Any, weight: Any) -> Any:
    """`input + weight (end - input)`."""
    return _add(input, mul(weight, _sub(end, input)))


def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value tensor1 tensor2`."""
    return _add(input, mul(mul(tensor1, tensor2), value))


def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value tensor1 / tensor2`."""
    return _add(input, mul(true_divide(tensor1, tensor2), value))


# --- complex numbers -------------------------------------------------------------------------------------------------------


def conj(input: Any) -> Any:
    """The complex conjugate."""
    return np.conjugate(input) if input.dtype.kind == "c" else input


def real(input: Any) -> Any:
    """The real part, a view."""
    return np.real(input) if input.dtype.kind == "c" else input


def imag(input: Any) -> Any:
    """The imaginary part, a view."""
    return np.imag(input)


def angle(input: Any) -> Any:
    """The argument of a complex number."""
    return np.angle(operand(input))


def view_as_real(input: Any) -> Any:
    """Complex numbers as pairs along a new last axis."""
    return np.stack([real_part(input), imag_part(input)], -1)


def view_as_complex(input: Any) -> Any:
    """Pairs along the last axis as complex numbers."""
    return complex(input[..., 0], input[..., 1])


def complex(real: Any, imag: Any) -> Any:
    """`real + i imag`."""
    unit = np.result_type(real.dtype, np.complex64).type(1j)
    return FRONT[np.add](real, FRONT[np.multiply](imag, plain(np.asarray(unit))))


def polar(abs: Any, angle: Any) -> Any:
    """`abs e^(i angle)`."""
    return complex(mul(abs, cos(angle)), mul(abs, sin(angle)))


for _name in ["add", "sub", "mul", "div", "divide", "true_divide", "multiply", "subtract", "pow", "floor_divide", "remainder", "fmod", "atan2", "arctan2", "hypot", "maximum", "minimum", "fmax", "fmin", "logaddexp", "eq", "ne", "lt", "le", "gt", "ge", "greater", "greater_equal", "less", "less_equal", "not_equal", "bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_not", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "arcsin", "arccos", "arctan", "asinh", "acosh", "atanh", "reciprocal", "deg2rad", "rad2deg", "neg", "negative", "square", "abs", "absolute", "floor", "ceil", "trunc", "round", "sign", "frac", "rsqrt", "sigmoid", "logit", "relu", "clamp", "clip", "lerp", "addcmul", "addcdiv", "conj", "angle", "isnan", "isinf", "isfinite"]:
    method(_name)(globals()[_name])
