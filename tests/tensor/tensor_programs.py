"""Programs in PyTorch's words, generated from tables, which run on PyTorch and on `wengert.tensor` alike.

A program is a text.  It sees `torch` (one or the other), the helpers below, and `out(...)`, which takes the values to compare.
"""

import numpy as np

FLOATS = ("float32", "float64")


def real(shape, seed=0, low=-2.0, high=2.0):
    """Numbers that are the same everywhere, and away from zero and from one another."""
    return np.random.RandomState(seed).uniform(low, high, shape).round(3) + 0.0004


def cplx(shape, seed=0, low=-2.0, high=2.0):
    """Complex numbers."""
    return real(shape, seed, low, high) + 1j * real(shape, seed + 100, low, high)


def plain(value):
    """A value as lists, numbers and texts, with the dtype of what is a tensor."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(part) for part in value]
    if isinstance(value, (float, complex)):
        return ["number", *_numbers(np.asarray(value))]
    array = np.asarray(value.numpy(force=True))
    return ["tensor", str(array.dtype), list(array.shape), *_numbers(array)]


def _numbers(array):
    flat = array.reshape(-1)
    if flat.dtype.kind == "c":
        flat = np.stack([flat.real, flat.imag], -1).reshape(-1)
    return [repr(x) if isinstance(x, float) and not np.isfinite(x) else x for x in flat.tolist()]


def run(source, torch):
    """What a program gives to `out`, as plain data."""
    found = []

    def raised(function):
        """Whether it raises."""
        try:
            function()
        except Exception:  # any kind counts
            return "error"
        return "nothing"

    def out(*values):
        found.extend(map(plain, values))

    def orders(y, *xs):
        """A result with derivatives of first and second order, each against fixed weights; what is not there is zero."""
        weights = torch.tensor(real(tuple(y.shape), 7, 0.5, 1.5), dtype=torch.float64).to(y.dtype)
        first = torch.autograd.grad(y, xs, weights, create_graph=True, allow_unused=True)
        out(y, *first)
        for g in first:
            second = [None] * len(xs)
            if g is not None and g.requires_grad:
                again = torch.tensor(real(tuple(g.shape), 8, 0.5, 1.5), dtype=torch.float64).to(g.dtype)
                second = torch.autograd.grad(g, xs, again, retain_graph=True, allow_unused=True)
            out(*[torch.zeros_like(x) if h is None else h for x, h in zip(xs, second)])

    names = {"torch": torch, "real": real, "cplx": cplx, "out": out, "raised": raised, "orders": orders, "np": np}
    exec(compile(source, "<program>", "exec"), names)
    return found


PROGRAMS = {}


def program(name, source):
    """Enter a program into the table."""
    assert name not in PROGRAMS, name
    PROGRAMS[name] = source.strip() + "\n"


def leaf(name, shape, seed, dtype="float64", low=-2.0, high=2.0):
    """The line that makes a leaf."""
    make = "cplx" if dtype.startswith("complex") else "real"
    return f"{name} = torch.tensor({make}({shape}, {seed}, {low}, {high}), dtype=torch.{dtype}, requires_grad=True)\n"


# --- functions of one operand ------------------------------------------------------------------------------------------

UNARY = {
    "exp": (-2, 2), "exp2": (-2, 2), "expm1": (-2, 2), "log": (0.2, 3), "log2": (0.2, 3), "log10": (0.2, 3), "log1p": (-0.7, 3),
    "sqrt": (0.2, 3), "rsqrt": (0.2, 3), "sin": (-2, 2), "cos": (-2, 2), "tan": (-1, 1), "asin": (-0.8, 0.8),
    "acos": (-0.8, 0.8), "atan": (-2, 2), "sinh": (-2, 2), "cosh": (-2, 2), "tanh": (-2, 2), "asinh": (-2, 2),
    "acosh": (1.2, 3), "atanh": (-0.8, 0.8), "sigmoid": (-3, 3), "relu": (-2, 2), "abs": (-2, 2), "neg": (-2, 2),
    "square": (-2, 2), "reciprocal": (0.3, 2), "logit": (0.2, 0.8), "frac": (-2, 2), "deg2rad": (-2, 2), "rad2deg": (-2, 2),
    "floor": (-2, 2), "ceil": (-2, 2), "trunc": (-2, 2), "round": (-2, 2), "sign": (-2, 2),
}  # fmt: skip
for _name, (_low, _high) in UNARY.items():
    for _dtype in FLOATS:
        program(
            f"{_name} of {_dtype}",
            leaf("x", (2, 3), 1, _dtype, _low, _high) + f"orders(torch.{_name}(x), x)\nout(x.{_name}())",
        )
for _name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "neg", "square", "reciprocal", "abs", "angle"):
    program(f"{_name} of complex128", leaf("z", (3,), 2, "complex128") + f"orders(torch.{_name}(z), z)")
for _name in ("z.real", "z.imag", "z.conj()", "torch.view_as_real(z)", "z * z.conj()", "(z * (2 + 1j)).real", "z ** 2", "z / (z + 3)",
              "torch.matmul(z, z.conj())", "z.sum() * z", "(z - 1).abs()", "torch.where(z.real > 0, z, 2 * z)"):  # fmt: skip
    program(f"complex: {_name}", leaf("z", (3,), 2, "complex128") + f"orders({_name}, z)")
program("complex of parts", leaf("a", (3,), 1) + leaf("b", (3,), 2) + "orders(torch.complex(a, b) ** 2, a, b)")
program("polar", leaf("a", (3,), 1, low=0.5) + leaf("b", (3,), 2) + "orders(torch.polar(a, b), a, b)")
program("real times complex", leaf("a", (3,), 1) + leaf("z", (3,), 2, "complex128") + "orders(a * z + a / z, a, z)")
program("gradient of a real loss of a complex number", leaf("z", (4,), 3, "complex128") + """
loss = (z * z.conj()).real.sum() + z.real.prod() + (z.imag ** 3).sum()
loss.backward()
out(loss, z.grad)
""")
for _text in ("x.clamp(-1, 1)", "x.clamp(min=0.5)", "x.clamp_max(0.25)", "torch.lerp(x, y, 0.3)", "torch.addcmul(x, x, y, value=2)",
              "torch.addcdiv(x, x, y * y, value=0.5)", "x.pow(3)", "x ** 2 - x ** 0", "(x * x + 1) ** 0.5", "2.0 ** x", "x.remainder(0.7)",
              "torch.softmax(x, 1)", "x.log_softmax(0)", "torch.nn.functional.softplus(x) if hasattr(torch, 'nn') else torch.softplus(x)",
              "torch.nn.functional.leaky_relu(x, 0.1) if hasattr(torch, 'nn') else torch.leaky_relu(x, 0.1)",
              "x.add(y, alpha=3)", "torch.sub(x, y, alpha=2)", "1 - x", "3 / y", "-x + +y", "abs(x) * 2"):  # fmt: skip
    program(f"of two: {_text}", leaf("x", (2, 3), 1) + leaf("y", (2, 3), 5, low=0.5) + f"orders({_text}, x, y)")

# --- functions of two operands, broadcast -------------------------------------------------------------------------------

BINARY = ("add", "sub", "mul", "div", "pow", "atan2", "maximum", "minimum", "hypot", "logaddexp", "fmod")
SHAPES = {"alike": ((3, 4), (3, 4)), "a row": ((3, 4), (4,)), "both": ((2, 1, 3), (4, 1)), "no axes": ((), (3,))}
for _name in BINARY:
    for _how, (_first, _second) in SHAPES.items():
        program(
            f"{_name}, {_how}",
            leaf("x", _first, 1, low=0.3) + leaf("y", _second, 2, low=0.3) + f"orders(torch.{_name}(x, y), x, y)",
        )
KINDS = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64", "complex64")
for _operator in ("+", "*", "/", "-", "<", "=="):
    program(f"promotion by {_operator}", f"""
for a in {KINDS!r}:
    for b in {KINDS!r}:
        if {{a, b}} == {{"float16", "complex64"}} or "{_operator}" == "<" and "complex64" in (a, b) or "{_operator}" == "-" and "bool" in (a, b):
            continue
        x, y = (torch.tensor([1, 2, 3], dtype=getattr(torch, k)) for k in (a, b))
        out(x {_operator} y, x {_operator} y[1], y[0] {_operator} x)
""")
program("promotion with numbers", f"""
for a in {KINDS!r}:
    x = torch.tensor([1, 2, 3], dtype=getattr(torch, a))
    out(x * 2, x + 2.5, 2 * x, 2.5 + x, x[0] * 2, x[0] + 2.5, x + True)
    if a != "float16":
        out(x * 1j)
    if a != "complex64":
        out(x / 2, x < 2, x > 1.5)
""")
program("whole numbers in floating functions", """
x = torch.tensor([1, 2, 3])
out(x.exp(), x.sqrt(), torch.sin(x), x.sum(), x.prod(), x.cumsum(0), x.float().mean(), x.max(), (x > 1).sum(), (x > 1).float())
out(x ** 2, x // 2, x % 2, x / 2, -x, x.abs(), x.double() / 3, x.to(torch.float64), x.clamp(2))
out(raised(lambda: x.mean()), raised(lambda: torch.tensor([1], requires_grad=True)))
""")
program("mixed precision", leaf("x", (3,), 1, "float32") + leaf("y", (3,), 2, "float64") + """
z = x * y + x
z.sum().backward()
out(z, x.grad, y.grad)
""")
program("half precision", leaf("x", (3,), 1, "float16") + "y = (x * x + 1).sum()\ny.backward()\nout(y, x.grad)")
program("by way of another dtype", leaf("x", (3,), 1, "float32") + "orders(x.double().exp().float() * 2, x)")

# --- along axes ------------------------------------------------------------------------------------------------------------

for _text in ("sum()", "sum(0)", "sum((0, 2))", "sum(-1, keepdim=True)", "mean()", "mean(1)", "mean((1, 2), keepdim=True)", "prod()", "prod(1)",
              "var()", "var(1)", "std()", "std(0)", "std(2, keepdim=True)", "var(1, unbiased=False)", "max()", "min()", "max(1).values",
              "min(2, keepdim=True).values", "amax(1)", "amin((0, 2))", "logsumexp(1)", "logsumexp((0, 1))", "softmax(-1)", "log_softmax(1)",
              "cumsum(1)", "cumprod(2)", "norm()", "norm(dim=1)", "norm(3, dim=2)", "norm(1, dim=(0, 1))", "median()", "median(2).values",
              "sort(2).values", "sort(1, descending=True).values", "topk(2, dim=2).values", "topk(1, dim=1, largest=False).values",
              "kthvalue(2, dim=2).values", "sum(axis=1)", "T.sum()" if False else "flatten().sum()"):  # fmt: skip
    program(f"along axes: {_text}", leaf("x", (2, 3, 4), 3, low=0.2) + f"orders(x.{_text}, x)")
program("places", """
x = torch.tensor(real((3, 4), 3))
out(x.argmax(), x.argmax(1), x.argmin(0, keepdim=True), x.argsort(1), x.argsort(0, descending=True), x.max(1).indices, x.min(0)[1])
out(x.topk(2).indices, x.sort(0).indices, x.median(1).indices, x.kthvalue(3).indices, x.nonzero(), (x > 0).nonzero(as_tuple=True))
out(torch.tensor([3, 1, 3, 2]).unique(), torch.bincount(torch.tensor([1, 1, 4])), (x > 0).any(1), (x > -9).all(), x.count_nonzero())
out(torch.searchsorted(torch.tensor([1., 2., 3.]), torch.tensor([0.5, 2., 9.])), torch.var_mean(x, 1), torch.std_mean(x, 0))
""")
program("of equal ones the first", """
x = torch.tensor([[1., 3., 3.], [2., 2., 1.]], requires_grad=True)
x.max(1).values.sum().backward()
out(x.grad, x.max(1).indices)
""")
program("equal ones share", "x = torch.tensor([1., 3., 3.], requires_grad=True)\nx.max().backward()\nout(x.grad)\nx.amax(0).backward()\nout(x.grad)")

# --- shapes ----------------------------------------------------------------------------------------------------------------------

for _text in ("x.view(6, 4)", "x.view(-1, 12)", "x.reshape(4, 6)", "x.transpose(0, 2)", "x.permute(2, 0, 1)", "x[0].t()", "x.mT", "x.unsqueeze(1)",
              "x.unsqueeze(-1).squeeze()", "x.flatten(1)", "x.flatten()", "x.unflatten(2, (2, 2))", "x[:, :1].expand(2, 5, 4)",
              "x[:, :1].expand(-1, 3, -1)", "x.repeat(2, 1, 3)", "x.tile((2,))", "x.repeat_interleave(2, dim=1)", "x.narrow(1, 1, 2)",
              "x.select(2, 1)", "torch.cat([x, 2 * x], 1)", "torch.stack([x, x * x], -1)", "x.split(2, dim=2)[1]", "x.split([1, 3], 2)[1]",
              "x.chunk(3, 1)[2]", "x.unbind(1)[1]", "torch.hstack([x, x])", "torch.vstack([x, x])", "x.flip(1)", "x.flip((0, 2))",
              "x.roll(1, 2)", "x.diagonal(0, 1, 2)", "torch.diag(x[0, 0])", "x[0].tril()", "x.triu(1)", "x.movedim(0, 2)", "x.swapaxes(0, 1)",
              "torch.broadcast_to(x[:, :1], (2, 6, 4))", "x.tensor_split(2, 2)[0]", "x.clone()", "x.contiguous() * 1", "x.view_as(x) + 0",
              "torch.meshgrid(x[0, 0], x[0, 1], indexing='ij')[1]"):  # fmt: skip
    program(f"shape: {_text}", leaf("x", (2, 3, 4), 4) + f"orders({_text} ** 2, x)")
program("sizes", """
x = torch.zeros(2, 3, 4)
out(list(x.shape), list(x.size()), x.size(1), x.size(-1), x.dim(), x.ndim, x.numel(), len(x), x.nelement(), x.is_floating_point())
out(list(x.stride()), x.element_size(), x.is_contiguous(), x.transpose(0, 1).is_contiguous(), x.is_complex())
""")

# --- parts ---------------------------------------------------------------------------------------------------------------------------

for _text in ("x[1]", "x[-1, 2]", "x[:, 1:]", "x[..., 0]", "x[None, 1]", "x[::2, ::3]", "x[[0, 2, 2]]", "x[torch.tensor([2, 0])]",
              "x[torch.tensor([0, 1]), torch.tensor([3, 1])]", "x[:, torch.tensor([[0, 1], [3, 3]])]", "x[x > 0]", "x[torch.tensor([True, False, True])]",
              "x[1, x[1] > 0]", "x[torch.tensor(1)]", "x.gather(1, torch.tensor([[0, 1], [2, 3], [3, 0]]))",
              "x.gather(0, torch.tensor([[0, 1, 2, 0]]))", "x.index_select(1, torch.tensor([3, 0, 0]))", "x.masked_select(x > 0.5)",
              "x.masked_fill(x > 0, 0.5)", "torch.where(x > 0, x, x * x)", "x.where(x > 0, torch.tensor(0., dtype=torch.float64))",
              "x.scatter(1, torch.tensor([[0], [2], [1]]), y[:, :1])", "x.scatter(1, torch.tensor([[0], [2], [1]]), 3.5)",
              "x.scatter_add(1, torch.tensor([[0, 0], [2, 1], [1, 1]]), y[:, :2])", "x.index_add(0, torch.tensor([0, 2, 0]), y)",
              "x.index_copy(0, torch.tensor([2, 0]), y[:2])", "x.index_fill(1, torch.tensor([1]), 7.0)", "x.take(torch.tensor([0, 5, 5]))",
              "x.index_put((torch.tensor([0, 1]),), y[:2])", "x.index_put((torch.tensor([0, 0]),), y[:2], accumulate=True)",
              "x.masked_scatter(x > 0, y)", "torch.take_along_dim(x, x.argsort(1), 1)", "sum(row.sum() ** 2 for row in x)"):  # fmt: skip
    program(f"part: {_text}", leaf("x", (3, 4), 5) + leaf("y", (3, 4), 6) + f"orders({_text} * 2, x, y)")

# --- products --------------------------------------------------------------------------------------------------------------------------

for _text, _first, _second in (
    ("a @ b", (3, 4), (4, 2)), ("a @ b", (4,), (4, 2)), ("a @ b", (3, 4), (4,)), ("a @ b", (2, 3, 4), (4, 2)), ("a @ b", (2, 3, 4), (2, 4, 2)),
    ("a @ b", (4,), (4,)), ("torch.mm(a, b)", (3, 4), (4, 2)), ("torch.bmm(a, b)", (2, 3, 4), (2, 4, 2)), ("torch.mv(a, b)", (3, 4), (4,)),
    ("torch.dot(a, b)", (4,), (4,)), ("torch.outer(a, b)", (3,), (4,)), ("torch.einsum('ij,jk->ik', a, b)", (3, 4), (4, 2)),
    ("torch.einsum('bij,bkj->bik', a, b)", (2, 3, 4), (2, 5, 4)), ("torch.einsum('i,j->ij', a, b)", (3,), (4,)),
    ("torch.einsum('ij,ij->', a, b)", (3, 4), (3, 4)), ("torch.tensordot(a, b, 1)", (3, 4), (4, 2)), ("torch.kron(a, b)", (2, 2), (3, 2)),
    ("torch.cross(a, b, dim=-1)", (2, 3), (2, 3)), ("torch.addmm(a, b, b.t(), beta=2, alpha=3)", (3, 3), (3, 4)),
    ("torch.dist(a, b)", (3,), (3,)), ("torch.trace(a) * b", (3, 3), (2,)), ("torch.det(a) * b", (3, 3), (2,)),
    ("torch.inverse(a) @ b", (3, 3), (3, 2)), ("torch.logdet(a @ a.t()) * b", (3, 3), (2,)), ("torch.inner(a, b)", (3, 4), (2, 4)),
    ("(torch.nn.functional if hasattr(torch, 'nn') else torch).linear(a, b)", (3, 4), (2, 4)),
    ("(torch.nn.functional if hasattr(torch, 'nn') else torch).cosine_similarity(a, b)", (3, 4), (3, 4)),
    ("torch.matmul(a, b)", (2, 1, 3, 4), (5, 4, 2)),
):  # fmt: skip
    program(f"product: {_text} of {_first} and {_second}", leaf("a", _first, 1) + leaf("b", _second, 2) + f"orders({_text}, a, b)")
