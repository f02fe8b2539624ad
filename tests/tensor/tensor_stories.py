"""Longer programs, written by hand: writing in place, views, hooks, functions of one's own, modes, errors, printing, models."""

from tensor_programs import leaf, program

# --- writing in place ------------------------------------------------------------------------------------------------------

for _text in ("y.add_(1)", "y.mul_(x)", "y.sub_(x, alpha=2)", "y.div_(x * x + 1)", "y.exp_()", "y.sin_()", "y.tanh_()", "y.pow_(2)", "y.clamp_(-1, 1)",
              "y.zero_()", "y.fill_(3.0)", "y.copy_(x)", "y.neg_()", "y.sigmoid_()", "y.relu_()", "y.masked_fill_(y > 0, 1.5)", "y.sqrt_() if (y > 0).all() else y.abs_()",
              "y.clamp_min_(0.1)", "y.lerp_(x, 0.25)", "y.addcmul_(x, x)", "y.index_fill_(0, torch.tensor([1]), 2.0)", "y.scatter_(0, torch.tensor([0, 2]), x[:2])",
              "y.index_add_(0, torch.tensor([1, 1]), x[:2])", "y.cumsum_(0)", "y.square_()", "y.reciprocal_()", "y.abs_()", "y.round_()"):  # fmt: skip
    program(f"in place: {_text}", leaf("x", (3,), 1) + f"y = x * x + 0.5\n{_text}\norders(y * x, x)")
for _text in ("y[0] = 2.0", "y[1:] = x[:2]", "y[y > 1] = 0.5", "y[torch.tensor([0, 2])] = x[1]", "y[0] += x[1]", "y[:2] *= 3", "y += x", "y -= 1", "y *= x", "y /= 2",
              "y **= 2", "y[..., -1] = x.sum()", "y[[0, 1]] = torch.stack([x[1], x[0]])", "y[0], y[1] = y[1] * 2, y[0] * 3"):  # fmt: skip
    program(f"assignment: {_text}", leaf("x", (3,), 1) + f"y = x * x + 0.5\n{_text}\norders(y * x, x)")
program("an old value is not a new one", leaf("x", (3,), 1) + """
y = x * 2
z = y + 1
y.mul_(3)
(y * z).sum().backward()
out(x.grad, y, z)
""")
program("a view is written into", leaf("x", (2, 3), 1) + """
y = x * 1
v = y.view(6)
v[1:3] = v[1:3] * 5
v.mul_(2)
orders(y ** 2, x)
out(v)
""")
program("a base is written into", leaf("x", (2, 3), 1) + """
y = x * 1
row, column, t = y[0], y[:, 1], y.t()
y.mul_(x)
y[0] = 7.0
orders(row.sum() + (column ** 2).sum() + (t * t).sum(), x)
""")
program("views of views", leaf("x", (2, 3), 1) + """
y = x.clone()
a = y.transpose(0, 1)
b = a[1:].unsqueeze(0)
b.add_(10)
a[0].zero_()
out(y, a, b)
orders(y * y, x)
""")
program("plain tensors and their views", """
x = torch.arange(6.0)
y = x.view(2, 3)
y[0] = 9
z = x[1::2]
z += 1
d = y.detach()
d[1, 1] = -1
w = y.reshape(-1)[2]
w.add_(0.5)
out(x, y, z, d, w)
y.squeeze().t().mul_(2)
y.unsqueeze(0).permute(2, 1, 0)[0].zero_()
for row in y:
    row += 1
a, b = x.chunk(2)
a.copy_(b)
x.narrow(0, 4, 2).fill_(0.25)
x.split(5)[1].fill_(8.0)
torch.diagonal(y).add_(100)
out(x, y, z, d)
""")
program("detach sees what is written", leaf("x", (3,), 1) + """
y = x.detach()
with torch.no_grad():
    x.add_(1)
out(y, x)
y.mul_(2)
out(x, x.requires_grad, y.requires_grad)
x.data.zero_()
out(x)
x.data = torch.ones(3, dtype=torch.float64)
out(x, x.is_leaf)
""")
program("in place needs the dtype", """
x = torch.tensor([1, 2])
out(raised(lambda: x.add_(1.5)), raised(lambda: x.mul_(torch.tensor([1.0, 2.0]))), x.add_(1))
y = torch.tensor([1.0, 2.0])
out(y.add_(1), y.mul_(torch.tensor([2, 3])), y.copy_(torch.tensor([3, 4])), raised(lambda: y.add_(torch.ones(3, 2))), raised(lambda: torch.ones(1).add_(y)))
y[0] = 3
y[1] = torch.tensor(2.5, dtype=torch.float64)
out(y)
""")

# --- leaves, accumulation, modes -----------------------------------------------------------------------------------------------

program("gradients add up", leaf("x", (3,), 1) + """
(x * 2).sum().backward()
g = x.grad
(x * x).sum().backward()
out(x.grad, g is x.grad, g)
x.grad.zero_()
x.exp().sum().backward()
out(x.grad)
x.grad = None
(x * 3).sum().backward()
out(x.grad, x.grad.requires_grad)
""")
program("rules of leaves", leaf("x", (3,), 1) + """
out(raised(lambda: x.add_(1)), raised(lambda: x.__setitem__(0, 1.0)), raised(lambda: x[0].mul_(2)), raised(lambda: x.zero_()))
with torch.no_grad():
    x.mul_(2)
    x[0] = 1.0
    x -= 0.5
out(x, x.is_leaf, x.requires_grad, x.grad is None)
y = x * 2
out(y.is_leaf, y.requires_grad, x.detach().is_leaf, x.detach().requires_grad, torch.ones(2).is_leaf)
out(raised(lambda: y.requires_grad_(False)), raised(lambda: x.numpy()), raised(lambda: torch.ones(2).sum().backward()))
out(x.requires_grad_(False).requires_grad, x.requires_grad_().requires_grad)
""")
program("modes", leaf("x", (3,), 1) + """
with torch.no_grad():
    y = x * 2
    with torch.enable_grad():
        z = x * 3
    out(torch.is_grad_enabled())
    w = torch.zeros(2, requires_grad=True)
out(y.requires_grad, z.requires_grad, w.requires_grad, torch.is_grad_enabled(), y.is_leaf)
@torch.no_grad()
def f(t):
    return t * t
out(f(x).requires_grad)
with torch.set_grad_enabled(False):
    out((x * 1).requires_grad)
out((x * 1).requires_grad)
torch.set_grad_enabled(False)
out((x * 1).requires_grad)
torch.set_grad_enabled(True)
out((x * 1).requires_grad)
with torch.inference_mode():
    out((x * 1).requires_grad)
y = x * 2
with torch.no_grad():
    y += 1
out(y.requires_grad, torch.autograd.grad(y.sum(), x))
""")
program("errors of backward", leaf("x", (3,), 1) + """
y = (x * x).sum()
y.backward()
out(raised(lambda: y.backward()))
y = (x * x).sum()
y.backward(retain_graph=True)
y.backward()
out(x.grad, raised(lambda: (x * 2).backward()), raised(lambda: (x * 2).backward(torch.ones(2, dtype=torch.float64))))
(x * 2).backward(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
out(x.grad)
z = torch.ones(3, requires_grad=True)
out(raised(lambda: torch.autograd.grad(x.sum(), z)), torch.autograd.grad(x.sum(), z, allow_unused=True))
out(raised(lambda: torch.autograd.grad(x.sum(), torch.ones(3))), torch.autograd.grad(x.sum(), [x, z], materialize_grads=True))
out(raised(lambda: (x * 1j).sum().backward()))
p = (x ** 2).exp()
q, r = p.sum(), (p * 2).sum()
q.backward()
out(raised(lambda: r.backward()))
""")
program("only for some inputs", leaf("x", (3,), 1) + leaf("y", (3,), 2) + """
(x * y).sum().backward(inputs=[x])
out(x.grad, y.grad is None)
m = x * y
out(torch.autograd.grad((m * m).sum(), [m, x], retain_graph=True))
out(torch.autograd.grad([m.sum(), (x * 2).sum()], [x, y]))
a, b = x * 2, x * 3
torch.autograd.backward([a, b], [torch.ones_like(a), torch.ones_like(b)])
out(x.grad)
""")
program("create_graph in backward", leaf("x", (3,), 1) + """
y = (x ** 3).sum()
y.backward(create_graph=True)
g = x.grad.clone()
x.grad = None
(g ** 2).sum().backward()
out(g, x.grad)
""".replace("g = x.grad.clone()", "g = x.grad\nout(g.requires_grad)"))
program("third order", leaf("x", (2,), 1) + """
y = (x.sin() * x).sum()
for k in range(4):
    (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    out(y)
""")
program("batched gradients", leaf("x", (3,), 1) + "y = x ** 2\nout(torch.autograd.grad(y, x, torch.eye(3, dtype=torch.float64), is_grads_batched=True))")
program("gradient penalty", leaf("w", (3, 4), 1) + leaf("x", (5, 4), 2) + """
d = torch.tanh(x @ w.t()).sum(1)
(g,) = torch.autograd.grad(d.sum(), x, create_graph=True)
penalty = ((g.norm(dim=1) - 1) ** 2).mean()
penalty.backward()
out(penalty, w.grad, x.grad)
""")
program("items", """
x = torch.tensor([[1.5, 2.0], [3.0, 4.0]], requires_grad=True)
out(x[0, 0].item(), x.tolist()[1][0], float(x[1, 1]), int(torch.tensor(3)), bool(torch.tensor(True)), raised(lambda: x.item()))
out(x.detach().numpy().sum().item(), [r.sum().item() for r in x], raised(lambda: bool(torch.ones(2))), x.sum().detach().item())
out(list(range(torch.tensor(3))), [10, 20, 30][torch.tensor(1)], f"{torch.tensor(1.25):.1f}", torch.tensor(2.0) in torch.tensor([1.0, 2.0]))
out(torch.equal(x, x), torch.allclose(x, x + 1e-9), torch.isclose(x, x).all(), (x == x).all().item(), len({x: 1, x.sum(): 2}))
""")
program("making", """
out(torch.tensor([1, 2]), torch.tensor([1.0]), torch.tensor(3), torch.tensor([True]), torch.tensor([1j]), torch.tensor([[1, 2.5]]), torch.tensor([]))
out(torch.tensor(np.ones(2)), torch.tensor(np.ones(2, np.float32)), torch.tensor([1, 2], dtype=torch.float64), torch.as_tensor([1.0]))
out(torch.zeros(2, 3), torch.ones((2,)), torch.full((2, 2), 7), torch.full((2,), 1.5), torch.eye(3), torch.eye(2, 3), torch.arange(5), torch.arange(1, 7, 2))
out(torch.arange(0, 1, 0.25), torch.linspace(0, 1, 5), torch.zeros_like(torch.ones(2, dtype=torch.int64)), torch.ones_like(torch.eye(2)), torch.full_like(torch.eye(2), 3))
out(torch.from_numpy(np.arange(3)), torch.empty(2, 0), torch.zeros(2, dtype=torch.bool), torch.ones(2).new_zeros(3), torch.ones(2).new_full((2,), 4.0))
out(torch.ones(2).new_tensor([1, 2]), torch.logspace(0, 2, 3), torch.tensor(np.float64(2.5)), torch.zeros(()), torch.tensor([torch.tensor(1.0), torch.tensor(2.0)]))
out(list(torch.rand(2, 3).shape), list(torch.randn(4).shape), list(torch.randint(0, 5, (3,)).shape), torch.randperm(4).sort().values, torch.rand(2).dtype == torch.float32)
out(torch.tensor([1.0]).double(), torch.tensor([1.7]).int(), torch.tensor([1.7]).long(), torch.tensor([0, 2]).bool(), torch.tensor([1.0]).half(), torch.tensor([3]).type(torch.float32))
out(torch.tensor([2.5]).to(torch.int32), torch.tensor([1]).to(torch.tensor([1.0])), torch.tensor([1.0]).to("cpu"), torch.tensor([1.0]).type_as(torch.tensor([1])))
""")

# --- hooks and history -----------------------------------------------------------------------------------------------------------

program("hooks", leaf("x", (3,), 1) + """
seen = []
handle = x.register_hook(lambda g: g * 10)
y = x * 2
y.register_hook(lambda g: seen.append(g.clone()))
y.register_hook(lambda g: g + 1)
y.retain_grad()
z = (y ** 2).sum()
z.backward()
out(x.grad, y.grad, *seen)
handle.remove()
x.grad = None
(x * 3).sum().backward()
out(x.grad, raised(lambda: torch.ones(2).register_hook(lambda g: g)))
""")
program("hooks after adding up", leaf("x", (3,), 1) + """
counts = []
def descend(p):
    counts.append(p.grad.sum().item())
    with torch.no_grad():
        p -= 0.1 * p.grad
    p.grad = None
handle = x.register_post_accumulate_grad_hook(descend)
for k in range(3):
    (x ** 2).sum().backward()
handle.remove()
(x ** 2).sum().backward()
out(x, x.grad, counts, raised(lambda: (x * 1).register_post_accumulate_grad_hook(descend)))
""")
program("hooks in a recorded walk", leaf("x", (3,), 1) + """
y = x * x
y.register_hook(lambda g: g * g)
(g,) = torch.autograd.grad((y ** 2).sum(), x, create_graph=True)
out(g, torch.autograd.grad(g.sum(), x))
""")
program("hooks on one of several results", leaf("x", (4,), 1) + """
a, b = x.chunk(2)
a.register_hook(lambda g: 3 * g)
a.retain_grad()
(a * b).sum().backward()
out(x.grad, a.grad)
""")
program("retained gradients", leaf("x", (3,), 1) + """
y = x * 2
out(y.retains_grad)
y.retain_grad()
x.retain_grad()
(y * y).sum().backward()
out(y.grad, x.grad, y.retains_grad, x.retains_grad)
""")
program("history", leaf("x", (3,), 1) + leaf("y", (3,), 2) + """
z = x * y + 1
add = z.grad_fn
mul = add.next_functions[0][0]
out(add is not None, len(mul.next_functions), mul.next_functions[0][0].variable is x, mul.next_functions[1][0].variable is y, x.grad_fn is None)
out("Mul" in mul.name(), "Add" in add.name(), (x * 2).grad_fn.name().startswith("Mul"), mul.next_functions[0][0].name().endswith("AccumulateGrad"))
""")

# --- functions of one's own ------------------------------------------------------------------------------------------------------

CUBE = """
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        out(list(ctx.needs_input_grad))
        return scale * x ** 3
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * ctx.scale * x ** 2 * grad, None
"""
program("function", CUBE + leaf("x", (3,), 1) + "orders(Cube.apply(x, 2.0) * x, x)\nout(Cube.apply(x.detach(), 2.0).requires_grad)")
program("function of results", CUBE + leaf("x", (3,), 1) + """
y = Cube.apply(x.sin(), 0.5)
out(y.requires_grad, y.is_leaf, y.grad_fn is not None)
y.sum().backward()
out(x.grad)
""")
program("function that saves its result", leaf("x", (3,), 1) + """
class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y
    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return y * grad
orders(Exp.apply(x), x)
""")
program("function with several results", leaf("x", (3,), 1) + leaf("y", (3,), 2) + """
class Both(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        places = a.argsort()
        ctx.mark_non_differentiable(places)
        return a * b, a + b, places
    @staticmethod
    def backward(ctx, ga, gb, gp):
        a, b = ctx.saved_tensors
        return ga * b + gb, ga * a + gb
p, q, places = Both.apply(x, y)
out(p.requires_grad, places.requires_grad, places)
(p * q).sum().backward()
out(x.grad, y.grad)
x.grad = None
Both.apply(x, y)[1].sum().backward()
out(x.grad)
orders(Both.apply(x, y)[0], x, y)
""")
program("function with a context of its own", leaf("x", (3,), 1) + """
class Twice(torch.autograd.Function):
    @staticmethod
    def forward(x, k):
        return x * k
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.k = inputs[1]
    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.k, None
orders(Twice.apply(x, 3) ** 2, x)
""")
program("function once differentiable", leaf("x", (3,), 1) + """
from importlib import import_module
once = import_module(torch.autograd.__name__ + (".function" if torch.__name__ == "torch" else "")).once_differentiable
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    @once
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad
(g,) = torch.autograd.grad(Square.apply(x).sum(), x)
out(g)
(g,) = torch.autograd.grad((Square.apply(x) * x).sum(), x, create_graph=True)
out(g, raised(lambda: g.sum().backward()))
""")
program("straight through", leaf("x", (4,), 1) + """
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()
    @staticmethod
    def backward(ctx, grad):
        return grad
y = Round.apply(x * 3)
(y ** 2).sum().backward()
out(y, x.grad)
""")
program("function with wrong numbers of gradients", leaf("x", (3,), 1) + """
class Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        return a * b
    @staticmethod
    def backward(ctx, grad):
        return grad
out(raised(lambda: Bad.apply(x, x).sum().backward()))
""")
program("checks", """
f = torch.autograd
x = torch.tensor(real((3,), 1), dtype=torch.float64, requires_grad=True)
z = torch.tensor(cplx((2,), 2), dtype=torch.complex128, requires_grad=True)
out(f.gradcheck(lambda t: t.sin() * t, (x,)), f.gradgradcheck(lambda t: t.exp() * t, (x,)), f.gradcheck(lambda w: w * w.conj() * w, (z,)))
class Wrong(f.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x
    @staticmethod
    def backward(ctx, grad):
        return grad
out(raised(lambda: f.gradcheck(Wrong.apply, (x,))) != "nothing", f.gradcheck(Wrong.apply, (x,), raise_exception=False))
""")
program("functional", """
F = torch.autograd.functional
x, y = (torch.tensor(real((3,), k), dtype=torch.float64) for k in (1, 2))
f = lambda a: a.sin() * a.sum()
out(F.jacobian(f, x), F.hessian(lambda a: (a ** 3).sum() * a[0], x), F.jacobian(lambda a, b: a * b, (x, y)), F.jacobian(lambda a: (a * 2, a.sum()), x))
out(F.vjp(f, x, y), F.jvp(f, x, y), F.hvp(lambda a: (a ** 3).sum() * a[0], x, y), F.vhp(lambda a: (a ** 4).sum(), x, y))
out(F.hessian(lambda a, b: (a * b ** 2).sum(), (x, y)), F.vjp(lambda a, b: (a * b).sum(), (x, y)))
""")

# --- printing ------------------------------------------------------------------------------------------------------------------------

program("printing", """
for data in ([1.0, 2.0], [1, 2], [True], [0.1, -2.5], [1e-5, 1.0], [1e10, 1.0], [[1.0, 2.5], [3.0, 4.0]], 3.0, 2, [], [float("nan"), 1.0], [float("inf"), 2.5],
             [1 + 2j, -0.5j], [100000.0, 0.5], [0.0, 0.0], [123456.789], [[[1.0]]], [1e-8]):
    out(str(torch.tensor(data)))
out(repr(torch.ones(2, dtype=torch.float64)), repr(torch.ones(2, requires_grad=True)), repr(torch.arange(2000)), repr(torch.arange(30.0)), repr(torch.zeros(3, 40)))
out(repr(torch.ones(2, dtype=torch.int32)), repr(torch.zeros(2, 0)), repr(torch.zeros(30, 50)), repr(torch.ones(2, dtype=torch.float64, requires_grad=True)))
""".replace('f"dtype', "dtype"))

# --- models -----------------------------------------------------------------------------------------------------------------------------

program("a network learns", """
w1 = torch.tensor(real((8, 4), 1) * 0.5, dtype=torch.float64, requires_grad=True)
b1 = torch.zeros(8, dtype=torch.float64, requires_grad=True)
w2 = torch.tensor(real((3, 8), 2) * 0.5, dtype=torch.float64, requires_grad=True)
b2 = torch.zeros(3, dtype=torch.float64, requires_grad=True)
x = torch.tensor(real((16, 4), 3), dtype=torch.float64)
labels = torch.tensor(np.arange(16) % 3)
for step in range(5):
    logits = torch.relu(x @ w1.t() + b1) @ w2.t() + b2
    loss = -logits.log_softmax(1).gather(1, labels[:, None]).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w1, b1, w2, b2):
            p -= 0.5 * p.grad
            p.grad = None
    out(loss)
out(w1, b1, w2, b2)
""")
program("with momentum, in place", leaf("w", (4,), 1) + """
velocity = torch.zeros_like(w)
for step in range(6):
    loss = ((w - 1) ** 2 * torch.arange(1, 5)).sum()
    if w.grad is not None:
        w.grad.zero_()
    loss.backward()
    with torch.no_grad():
        velocity.mul_(0.9).add_(w.grad)
        w.add_(velocity, alpha=-0.05)
out(w, velocity, loss)
""")
program("Rosenbrock's valley", """
x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
for step in range(20):
    f = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    (g,) = torch.autograd.grad(f, x)
    x.data -= 1e-3 * g
out(x, f)
""")
program("Newton's method", leaf("x", (3,), 1) + """
for step in range(4):
    f = ((x - 2) ** 4).sum() + (x.prod() - 1) ** 2
    (g,) = torch.autograd.grad(f, x, create_graph=True)
    h = torch.stack([torch.autograd.grad(g[k], x, retain_graph=True)[0] for k in range(3)])
    with torch.no_grad():
        x -= torch.inverse(h) @ g
out(x)
""")
program("a recurrent network", leaf("w", (3, 3), 1) + leaf("u", (3, 2), 2) + """
inputs = torch.tensor(real((5, 2), 3), dtype=torch.float64)
h = torch.zeros(3, dtype=torch.float64)
states = []
for t in range(5):
    h = torch.tanh(w @ h + u @ inputs[t])
    states.append(h)
loss = torch.stack(states).pow(2).sum()
loss.backward()
out(loss, w.grad, u.grad)
""")
program("attention", leaf("q", (2, 4, 3), 1) + leaf("k", (2, 4, 3), 2) + leaf("v", (2, 4, 3), 3) + """
scores = q @ k.transpose(-2, -1) / 3 ** 0.5
mask = torch.ones(4, 4).tril().bool()
weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
y = weights @ v
(y * y).sum().backward()
out(y, q.grad, k.grad, v.grad)
""")
program("normalisation", leaf("x", (4, 3), 1) + leaf("g", (3,), 2) + """
centred = x - x.mean(0, keepdim=True)
y = g * centred / (x.var(0, unbiased=False, keepdim=True) + 1e-5).sqrt()
orders(y, x, g)
""")
program("one tensor twice", leaf("x", (3,), 1) + """
y = x * x
z = y * x + y.sum() * x + y[0] * x[2]
orders(z, x)
""")
program("a long chain", leaf("x", (3,), 1) + """
y = x
for k in range(200):
    y = y * 1.01 + 0.001 * y.sin()
y.sum().backward()
out(y, x.grad)
""")
program("nothing arrives", leaf("x", (3,), 1) + """
y = (x > 0).double() * 2 + x.detach()
out(y.requires_grad, (x.floor() + x).requires_grad)
(x.floor() * x).sum().backward()
out(x.grad)
""")
program("zero times infinity", """
x = torch.tensor([0.0, 4.0], dtype=torch.float64, requires_grad=True)
y = torch.where(x > 1, x, 1.0 + x)
(y * y).sum().backward()
out(x.grad)
""")
