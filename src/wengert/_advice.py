"""What to write instead, where a traced value is about to become plain numbers: one small rule for each mistake.

A rule looks at the user's expression and says what happened and what to write, in the user's own names; the
first rule that recognises the expression speaks.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from wengert._source import Place

LOST = "A plain number or array cannot carry a derivative, so the gradient would silently be wrong."

# What wengert.numpy builds from nested lists and callbacks, which NumPy does not pass on to traced arrays.
DROP_IN = (
    "arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray",
    "fromfunction", "fromiter", "frompyfunc", "full", "kaiser", "require", "vectorize",
)  # fmt: skip

AS_ARRAY = ("array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "require")
# NumPy's functions that write into their first argument; array methods that do are called the same.
WRITERS = ("copyto", "put", "place", "putmask", "fill_diagonal", "put_along_axis", "fill", "itemset", "__setitem__", "at")

# NumPy's and SciPy's names for functions of `math` that are called otherwise.
MATH = {
    "acos": "np.arccos", "acosh": "np.arccosh", "asin": "np.arcsin", "asinh": "np.arcsinh", "atan": "np.arctan",
    "atan2": "np.arctan2", "atanh": "np.arctanh", "erf": "scipy.special.erf", "erfc": "scipy.special.erfc",
    "fsum": "np.sum", "gamma": "scipy.special.gamma", "lgamma": "scipy.special.gammaln", "pow": "np.power",
    "dist": "np.linalg.norm", "prod": "np.prod",
}  # fmt: skip

# SciPy's functions that turn their arguments into plain arrays, and the same function of NumPy.
SCIPY = {
    "linalg": ("cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "lstsq", "norm", "pinv", "qr", "solve", "svd"),
    "fft": ("fft", "fft2", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "rfft"),
}  # fmt: skip

# What wengert.scipy.special has, since SciPy's own do not pass traced arrays on.
SPECIAL = ("log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax")

# What has no twin in wengert.numpy.polynomial: changes of basis, weights, sampling.
PLAIN_SERIES = ("2poly", "poly2", "weight", "interpolate")


def arguments(place: Place, *without: str) -> list[str]:
    """What stands between the parentheses of the call, without the keywords of these names."""
    if place.call is None:
        return []
    named = [(f"{part.arg}=" if part.arg else "**") + place.text(part.value)
             for part in place.call.keywords if part.arg not in without]  # fmt: skip
    return [*map(place.text, place.call.args), *named]


class Advice(NamedTuple):
    """Three of the four parts of a message; the place is the fourth."""

    what: str
    why: str
    write: str


class Conversion(NamedTuple):
    """A traced value that Python or NumPy asked for plain numbers, and the expression that made it ask."""

    wanted: str  # float, int, complex, index, array, pickle
    place: Place
    function: Any  # the function that the expression calls, if it is a call of one that can be found
    name: str  # how the user writes it
    traced: str  # how the user writes what was asked to become plain

    @property
    def arguments(self) -> list[ast.expr]:
        """The positional arguments of the call."""
        return self.place.call.args if self.place.call else []

    def rewritten(self, name: str) -> str:
        """The call of another function with the same arguments."""
        return f"{name}({', '.join(arguments(self.place))})"


def conversion_advice(wanted: str, place: Place, traced: str, *, is_batch: bool = False) -> Advice:
    """What to say about a traced value that is asked to become a plain number or array."""
    call = place.call
    function = place.value_of(call.func) if call else None
    name = place.text(call.func) if call else ""
    asked = Conversion(wanted, place, function, name, _asked(place) or traced)
    advice = next(advice for rule in RULES if (advice := rule(asked)) is not None)
    return _for_batch(advice, place) if is_batch else advice


def _for_batch(advice: Advice, place: Place) -> Advice:
    """The same for a value that stands for a whole batch: without derivative it is still no single number."""
    lines, node = [], place.node
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Slice, ast.Tuple)):
        table, index = place.text(node.value), place.text(node.slice)
        lines.append(f"np.asarray({table}, like={index})[{index}]   # a table that each member may index")
    lines += [line for line in advice.write.splitlines() if "wg.stop_gradient" not in line]
    lines.append("[f(x) for x in batch]   # instead of vmap, where every member needs a plain number")
    why = "Under vmap a value stands for a whole batch, and is no single number or array."
    return Advice(advice.what, why, "\n".join(lines))


def _asked(place: Place) -> str:
    """The operand of the expression that holds a traced value: an argument of a call, the right side of `%`."""
    node = place.node
    operands = node.args if isinstance(node, ast.Call) else [node.right] if isinstance(node, ast.BinOp) else []
    simple = [part for part in operands if not isinstance(part, (ast.Tuple, ast.List, ast.Starred)) and not _is_lazy(place, part)]
    return next((place.text(part) for part in simple if place.has_traced(part)), "")


def _is_lazy(place: Place, node: ast.expr) -> bool:
    """Whether an expression makes its values only when they are asked for."""
    if isinstance(node, ast.Call):
        return place.value_of(node.func) in (map, filter, zip, enumerate, reversed)
    return isinstance(node, (ast.Lambda, ast.GeneratorExp))


def _pickled(asked: Conversion) -> Advice | None:
    if asked.wanted != "pickle":
        return None
    return Advice(
        "a traced value cannot be pickled.",
        "Another process, or a file, would get plain numbers without their derivative.",
        f"np.asarray(wg.stop_gradient({asked.traced}))   # plain numbers, where no derivative is wanted\n"
        "@wg.custom_rule   # around the work that is done elsewhere, with the derivative that you state",
    )


def _formatted(asked: Conversion) -> Advice | None:
    node = asked.place.node
    is_percent = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant)
    if not is_percent or not isinstance(asked.place.value_of(node.left), str):  # type: ignore[union-attr]
        return None
    return Advice(
        "`%` formatting turns a traced value into a plain number.",
        "It looks like any other conversion to a float, after which the derivative would be lost.",
        f'f"{{{asked.traced}:.4f}}"   # looks at the value, and leaves the derivative alone',
    )


def _builtin(asked: Conversion) -> Advice | None:
    if asked.function is complex and len(asked.arguments) == 2:
        real, imag = map(asked.place.text, asked.arguments)
        return Advice("complex() would turn traced values into a plain number.", LOST, f"{real} + 1j * {imag}")
    if asked.function not in (float, complex, int) or len(asked.arguments) != 1:
        return None
    inner = asked.place.text(asked.arguments[0])
    if asked.function is int:
        return Advice(
            f"int({inner}) would turn a traced value into a plain integer.",
            "Integers change in steps, so no derivative flows through them.",
            f"int(wg.stop_gradient({inner}))   # for a count or an index\n"
            f"np.trunc({inner})   # for a number to calculate with",
        )
    return Advice(
        f"{asked.name}({inner}) would turn a traced value into a plain number.",
        LOST,
        f"{inner}   # without {asked.name}(): operators and np functions take it as it is\n"
        f"{asked.name}(wg.stop_gradient({inner}))   # where no derivative is wanted",
    )


def _of_math(asked: Conversion) -> Advice | None:
    function = asked.function
    if getattr(function, "__module__", None) not in ("math", "cmath") or getattr(math, function.__name__, None) is None:
        return None
    name = MATH.get(function.__name__, f"np.{function.__name__}")
    if name.startswith("np.") and not hasattr(np, name[3:]) and name != "np.linalg.norm":
        return None
    return Advice(
        f"{asked.name} takes plain numbers only, and its argument is traced.",
        "It would turn the value into a float, and the derivative would be lost.",
        asked.rewritten(name) + "   # the same function, for arrays and traced values",
    )


def _range_or_index(asked: Conversion) -> Advice | None:
    if asked.function is range:
        return Advice(
            "range() needs plain integers, and was given a traced value.",
            "How often a loop runs is not a smooth function of anything.",
            f"range(int(wg.stop_gradient({asked.traced})))   # no derivative flows through the number of turns",
        )
    node = asked.place.node
    if not isinstance(node, ast.Subscript):
        return None
    table, index = asked.place.text(node.value), asked.place.text(node.slice)
    if table in ("np.r_", "np.c_"):
        what = f"{table} would turn traced values into a plain array."
        return Advice(what, LOST, f"wnp.{table[3:]}[{index}]   # import wengert.numpy as wnp")
    if isinstance(node.slice, ast.Slice):
        bounds = [part for part in (node.slice.lower, node.slice.upper, node.slice.step) if part is not None]
        traced = [asked.place.text(part) for part in bounds if asked.place.has_traced(part)]
        return Advice(
            f"a traced value was used as a bound of a slice of `{table}`.",
            "How many entries are taken is a step function of the bound, so no derivative flows through it.",
            "\n".join(f"int(wg.stop_gradient({part}))   # instead of {part}" for part in traced),
        )
    return Advice(
        f"a traced value was used as an index into `{table}`.",
        "Which entry is taken is a step function of the index, so no derivative flows through it.",
        f"{table}[int(wg.stop_gradient({index}))]   # where that is meant\n"
        f"np.interp({index}, np.arange(len({table})), {table})   # between entries, with a derivative",
    )


def _callback(asked: Conversion) -> Advice | None:
    if asked.function is np.fromiter:
        return Advice(
            "np.fromiter would turn traced values into plain numbers.",
            LOST,
            asked.rewritten("wnp.fromiter") + "   # import wengert.numpy as wnp",
        )
    inner = asked.place.call.func if asked.place.call else None
    if isinstance(inner, ast.Call) and inner.args and asked.place.value_of(inner.func) is np.vectorize:
        name = asked.place.text(inner.args[0])
    elif isinstance(asked.function, np.vectorize):
        name = asked.function.pyfunc.__name__
    else:
        return None
    given = ", ".join(map(asked.place.text, asked.arguments))
    return Advice(
        "np.vectorize would turn a traced array into Python numbers, one by one.",
        LOST,
        f"wnp.vectorize({name})({given})   # one by one; import wengert.numpy as wnp\n"
        f"wg.vmap({name})({given})   # all at once, if {name} has no `if` on its values",
    )


def _random(asked: Conversion) -> Advice | None:
    method = asked.place.call.func if asked.place.call else None
    if not isinstance(method, ast.Attribute):
        return None
    made = isinstance(method.value, ast.Call) and asked.place.value_of(method.value.func) is np.random.default_rng
    owner = type(getattr(asked.function, "__self__", None))
    if made or owner is np.random.Generator:
        seed = asked.place.text(method.value.args[0] if made and method.value.args else method.value)  # type: ignore[attr-defined]
    elif owner is np.random.RandomState:
        seed = "seed"
    else:
        return None
    return Advice(
        f"{asked.name} takes plain parameters only, and was given a traced one.",
        "NumPy draws plain numbers, which do not remember the parameters of their distribution.",
        f"{asked.rewritten(f'wnp.random.default_rng({seed}).{method.attr}')}   # import wengert.numpy as wnp",
    )


def _nested_list(asked: Conversion) -> Advice | None:
    """`np.array([x[0], x[1]])`, and `np.sum([x[0], x[1]])`: NumPy passes on arrays, not lists of them."""
    function, arguments = asked.function, asked.arguments
    if getattr(np, getattr(function, "__name__", ""), None) is not function or function is None:
        return None
    name = function.__name__
    if name in DROP_IN and (not arguments or isinstance(arguments[0], ast.Starred)):
        drop_in = asked.rewritten(f"wnp.{name}") + "   # import wengert.numpy as wnp"
        return Advice(f"{asked.name} would turn traced values into a plain array.", LOST, drop_in)
    if not arguments:
        return None
    first = arguments[0]
    value = asked.place.value_of(first)
    is_list = isinstance(first, (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp)) or isinstance(value, (list, tuple))
    parts = value if isinstance(value, (list, tuple)) else getattr(first, "elts", ())
    is_flat = is_list and not any(isinstance(part, (ast.List, ast.Tuple, list, tuple)) for part in parts)
    listed = asked.place.text(first)
    if isinstance(first, ast.GeneratorExp):
        listed = f"[{listed.removeprefix('(').removesuffix(')')}]"
    stacked = f"np.stack({listed})"
    if isinstance(function, type) and issubclass(function, np.generic):
        return Advice(
            f"{asked.name} would turn a traced value into a plain number.",
            LOST,
            f"np.astype({asked.traced}, {asked.name})   # an array of that dtype, which stays traced",
        )
    if name in DROP_IN:
        drop_in = asked.rewritten(f"wnp.{name}") + "   # import wengert.numpy as wnp"
        plain = f"{asked.place.text(first)}   # it is an array already"
        write = f"{stacked}\n{drop_in}" if is_flat else drop_in if is_list else f"{plain}\n{drop_in}"
        write = write if name in AS_ARRAY else drop_in
        return Advice(f"{asked.name} would turn traced values into a plain array.", LOST, write)
    if not is_list:
        return None
    others = ", ".join([stacked if is_flat else f"wnp.array({listed})", *map(asked.place.text, arguments[1:])])
    return Advice(
        f"{asked.name} was given a list that holds traced values.",
        "NumPy would turn the list into a plain array first, and the derivative would be lost.",
        f"{asked.name}({others})   # one traced array instead of a list",
    )


def _polynomial(asked: Conversion) -> Advice | None:
    module: str = getattr(asked.function, "__module__", None) or ""
    name = getattr(asked.function, "__name__", "")
    if not module.startswith("numpy.polynomial.") or not name or any(part in name for part in PLAIN_SERIES):
        return None
    return Advice(
        f"{asked.name} would turn a traced value into a plain array.",
        LOST,
        asked.rewritten(f"wnp.{module.removeprefix('numpy.')}.{name}") + "   # import wengert.numpy as wnp",
    )


def _scipy(asked: Conversion) -> Advice | None:
    function = asked.function
    module: str = getattr(function, "__module__", None) or type(function).__module__
    if not module.startswith("scipy."):
        return None
    room, name = module.split(".")[1], getattr(function, "__name__", asked.name)
    what = f"{asked.name} would turn a traced value into a plain array."
    why = "SciPy would turn its arguments into plain arrays first, which cannot carry a derivative."
    if name in SCIPY.get(room, ()) and hasattr(getattr(np, room), name):
        return Advice(what, why, asked.rewritten(f"np.{room}.{name}") + "   # NumPy's follows traced values")
    if room == "special" and name in SPECIAL:
        return Advice(what, why, asked.rewritten(name) + f"   # from wengert.scipy.special import {name}")
    if room == "optimize":
        why = "The solver moves plain numbers; its result depends on the traced value by the implicit function theorem."
    return Advice(
        what, why,
        f"@wg.custom_rule   # around a function that calls {asked.name}, with the derivative that you state\n"
        + _stopped(asked),
    )  # fmt: skip


def _sparse(asked: Conversion) -> Advice | None:
    node = asked.place.node
    if not isinstance(node, ast.BinOp):
        return None
    operands = {id(part): part for part in (node.left, node.right)}
    sparse = [part for part in operands.values() if type(asked.place.value_of(part)).__module__.startswith("scipy.sparse")]
    if not sparse:
        return None
    left, right = (asked.place.text(part) + (".toarray()" if part in sparse else "") for part in (node.left, node.right))
    matrix = asked.place.text(sparse[0])
    return Advice(
        f"the sparse matrix `{matrix}` would turn a traced value into a plain array.",
        "SciPy multiplies in compiled code, where the derivative cannot be followed.",
        f"{left} @ {right}   # the same product with a dense matrix\n"
        "@wg.custom_rule   # around the product, whose transpose is that with the transposed matrix: docs/scipy.md",
    )


def _stopped(asked: Conversion) -> str:
    """The same call, of values without a derivative."""
    place, call = asked.place, asked.place.call
    note = "   # where no derivative is wanted"
    if call is None or any(isinstance(part, ast.Starred) for part in call.args):
        return f"wg.stop_gradient({asked.traced}){note}"

    def stopped(part: ast.expr) -> str:
        is_value = place.has_traced(part) and not _is_lazy(place, part)
        return f"wg.stop_gradient({place.text(part)})" if is_value else place.text(part)

    named = [f"{part.arg}={stopped(part.value)}" for part in call.keywords]
    whole = f"{asked.name}({', '.join([*map(stopped, call.args), *named])})"
    is_short = "wg.stop_gradient" in whole and len(whole) < 80
    return (whole if is_short else f"wg.stop_gradient({asked.traced})") + note


def _anything(asked: Conversion) -> Advice:
    wanted = {"index": "a plain integer", "int": "a plain integer", "array": "a plain array"}
    goal = wanted.get(asked.wanted, "a plain number")
    called = asked.name if asked.name and callable(asked.function) else ""
    return Advice(
        f"{called} would turn a traced value into {goal}." if called else f"a traced value would become {goal}.",
        LOST,
        "np functions and operators, which take a traced value as it is\n"
        "np.stack([a, b])   # instead of np.array([a, b])\n" + _stopped(asked),
    )


RULES: tuple[Callable[[Conversion], Advice | None], ...] = (
    _pickled, _formatted, _builtin, _of_math, _range_or_index, _callback, _random, _polynomial, _nested_list, _scipy, _sparse,
    _anything,
)  # fmt: skip


# --- one truth value of many ------------------------------------------------------------------------------------------


def truth_advice(place: Place, described: str) -> Advice:
    """What to say about a batch of values that Python asks for one truth value."""
    node, parent = place.node, place.parent
    test = place.text(node) if isinstance(node, ast.expr) else "condition"
    together = node if isinstance(node, ast.BoolOp) else parent
    extreme = {max: "np.maximum", min: "np.minimum"}.get(place.value_of(node.func)) if isinstance(node, ast.Call) else None
    if extreme is not None:
        write = f"{extreme}({', '.join(map(place.text, node.args))})"  # type: ignore[union-attr]
    elif isinstance(place.statement, ast.Assert):
        write = "assert ...   # of the whole batch, before vmap"
    elif isinstance(parent, ast.IfExp) and parent.test is node:
        write = f"np.where({test}, {place.text(parent.body)}, {place.text(parent.orelse)})"
    elif isinstance(together, ast.BoolOp):
        function = "np.logical_and" if isinstance(together.op, ast.And) else "np.logical_or"
        write = f"{function}({', '.join(map(place.text, together.values))})"
    elif isinstance(parent, ast.UnaryOp):
        write = f"np.logical_not({test})"
    elif isinstance(parent, ast.While):
        write = f"np.where({test}, new, old)   # in a loop with a fixed number of turns"
    else:
        write = f"np.where({test}, a, b)   # a and b: what either branch computes"
    return Advice(
        f"a batch of values of type {described} was used as one truth value.",
        "Under vmap each member of the batch may answer differently, and Python can follow one branch only.",
        write,
    )


# --- writing into plain arrays ---------------------------------------------------------------------------------------


def written_target(place: Place) -> ast.expr | None:
    """`table` in `table[i] = value`, `np.copyto(table, value)`, `np.add.at(table, i, value)`, `table.fill(value)`."""
    if place.is_store:
        return place.target
    call = place.call
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in WRITERS:
        return None
    owner = place.value_of(call.func.value)
    target = call.func.value if isinstance(owner, np.ndarray) else next(iter(call.args), None)
    return target if isinstance(place.value_of(target), np.ndarray) else None


def assignment_advice(place: Place, target: ast.expr | None, traced: str) -> Advice:
    """What to say about `table[i] = traced`, where `table` is a plain array."""
    table = place.text(target) if target is not None else "table"
    array = place.value_of(target)
    known = isinstance(array, np.ndarray)
    shape = _written(array.shape) if known else f"{table}.shape"
    why = (
        f"`{table}` is a plain array; NumPy would have to turn the traced value into numbers,\n"
        "and the derivative would be lost."
    )
    if known and array.any():
        write = f"{table} = {table} + np.zeros_like({traced}, shape={shape})   # before it is written into"
    else:
        write = f"{table} = np.zeros_like({traced}, shape={shape})   # a traced array: assignment into it works"
    return Advice("cannot write a traced value into a NumPy array.", why, write)


def output_advice(place: Place, function: str) -> Advice:
    """What to say about `table += traced` and `out=table`, where `table` is a plain array."""
    statement = place.statement
    if isinstance(statement, ast.AugAssign) and place.node is statement:
        table, value = place.text(statement.target), place.text(statement.value)
        symbol = ast.unparse(ast.BinOp(ast.Name("a"), statement.op, ast.Name("b"))).split()[1]
        why = f"`{table}` is a plain array, which `{symbol}=` would write into; it cannot keep the derivative."
        write = f"{table} = {table} {symbol} {value}   # a new array, which is traced"
        return Advice("cannot write a traced value into a NumPy array.", why, write)
    call = place.call
    out = next((k.value for k in call.keywords if k.arg == "out"), None) if call else None
    table = place.text(out) if out is not None else "out"
    write = f"{table} = {function}(...)   # without out="
    if call is not None and out is not None:
        write = f"{table} = {place.text(call.func)}({', '.join(arguments(place, 'out'))})   # without out="
    why = f"`{table}` is a plain array, and cannot keep the derivative that would be written into it."
    return Advice("cannot write a traced value into a NumPy array.", why, write)


def broadcast_advice(place: Place, shapes: list[tuple[int, ...]]) -> str:
    """What to write for operands of these shapes, which do not fit together."""
    node = place.node
    operands = [node.left, node.right] if isinstance(node, ast.BinOp) else node.args if isinstance(node, ast.Call) else []
    if len(operands) != len(shapes):
        operands = [ast.Name(f"x{k}") for k in range(len(shapes))]
    shortest = min(range(len(shapes)), key=lambda k: len(shapes[k]))
    part = operands[shortest]
    text = place.text(part) if isinstance(part, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) else f"({place.text(part)})"
    longer = (*shapes[shortest], 1)
    try:
        whole = np.broadcast_shapes(longer, *(shape for k, shape in enumerate(shapes) if k != shortest))
    except ValueError:
        return f"np.reshape({place.text(part)}, shape)   # or the part of it that fits"
    return f"{text}[..., None]   # of shape {longer}, which is repeated: the result has shape {whole}"


def fitting_advice(place: Place, shape: tuple[int, ...], target: tuple[int, ...]) -> str:
    """What to write for a value of this shape, which does not fit into its target."""
    value = getattr(place.statement, "value", None)
    name = place.text(value) if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)) else "value"
    if math.prod(shape) == math.prod(target):
        return f"np.reshape({name}, {target})   # the same elements in another shape"
    if len(shape) == len(target) and all(have >= want for have, want in zip(shape, target, strict=True)):
        return f"{name}[{', '.join(f':{want}' for want in target)}]   # the part that fits"
    return f"a value of shape {target}, or one that broadcasts to it"


def _written(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)
