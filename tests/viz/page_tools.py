"""What the tests of the explorer share: programs to look at, and the page taken apart."""

import json
from html.parser import HTMLParser

import numpy as np

import wengert as wg
from wengert import nn, optim
from wengert.viz.page import PURE_SCRIPTS, shipped

VOID = {"meta", "input", "br", "link", "img", "hr"}


def product(x, y):
    a = x + y
    b = x - y
    return a * b


def layer(h, w):
    return np.tanh(h @ w)


def network(params, x):
    h = x
    for w in params["layers"]:
        h = layer(h, w)
    scores = [np.sum(h * v) for v in params["heads"]]
    return scores[0] * scores[1]


def oscillator(k, y0):
    def step(y, t):
        y = y + 0.1 * np.stack([y[1], -k * np.sin(y[0])])
        return y, y[0]

    return wg.scan(step, y0, np.arange(20.0))[0]


def unhappy(x):
    with np.errstate(all="ignore"):
        y = np.log(x)
        z = np.sqrt(y - 10.0)
        return np.sum(z * x)


def long_training(params, x):
    """Steps of gradient descent: 5,000 operations in all."""
    derivative = wg.grad(lambda p: np.sum(network(p, x) ** 2))
    for _ in range(90):
        slopes = derivative(params)
        params = {k: [p - 0.01 * g for p, g in zip(params[k], slopes[k], strict=True)] for k in params}
    return network(params, x)


def network_arguments():
    rng = np.random.default_rng(0)
    params = {"layers": [rng.standard_normal((3, 3)) for _ in range(4)], "heads": [np.ones(3), np.arange(3.0)]}
    return params, rng.standard_normal(3)


class Transformer(nn.Module):
    """Tokens to scores of the next one."""

    def __init__(self, depth, rng):
        self.embed = nn.Embedding(30, 16, rng=rng)
        self.blocks = [nn.TransformerEncoderLayer(16, 4, hidden=32, dropout=0.0, batch_first=True, norm_first=True, rng=rng) for _ in range(depth)]
        self.head = nn.Linear(16, 30, rng=rng)

    def __call__(self, tokens):
        h = self.embed(tokens)
        for block in self.blocks:
            h = block(h, is_causal=True)
        return self.head(h)


def next_token_loss(model, tokens):
    return nn.cross_entropy(model(tokens)[:, :-1].reshape(-1, 30), tokens[:, 1:].reshape(-1))


def transformer_training(model, tokens):
    """Steps of gradient descent: 5,000 operations in all."""
    rule = optim.SGD(0.01)
    state = rule.init(model)
    for _ in range(3):
        model, state = rule.update(model, nn.grad(next_token_loss)(model, tokens), state)
    return next_token_loss(model, tokens)


def transformer_arguments():
    return Transformer(7, np.random.default_rng(0)), np.arange(20).reshape(2, 10)


EXAMPLES = {
    "product": (product, (3, 2)),
    "network": (network, network_arguments()),
    "oscillator": (oscillator, (1.3, np.array([1.0, 0.0]))),
    "unhappy": (unhappy, (np.array([1.0, 2.0, -1.0]),)),
    "several outputs": (lambda x: (np.sin(x[0]) * x[1], x[0] + x[1]), (np.array([0.5, 2.0]),)),
    "sums over neighbours": (lambda x: np.diff(x) ** 2, (np.linspace(0, 1, 40),)),
    "complex": (lambda z: np.abs(z) ** 2, (1.0 + 2.0j,)),
    "no inputs": (lambda: 1.0, ()),
    "names that break out": (lambda p: p["</script><script>alert(1)</script>"] * p["a\u2028b <!--"], ({"</script><script>alert(1)</script>": 2.0, "a\u2028b <!--": 3.0},)),
}  # fmt: skip


class Page(HTMLParser):
    """The tags of a page, checked for balance, and its data."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.scripts = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data

    @property
    def data(self):
        data, *others = map(json.loads, self.scripts[:-1])
        return {**data, "views": [data["views"][0], *others]}


def page_of(name):
    function, args = EXAMPLES[name]
    return Page(wg.draw(function)(*args).html)


def logic(engine):
    """Give a JavaScript engine the layout library and those of our files that need no document."""
    engine.eval("globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value)); 0")  # a browser has it
    engine.eval(shipped("vendor/dagre.min.js"))
    engine.eval("\n".join(shipped(f"static/{name}.js") for name in PURE_SCRIPTS) + "\nglobalThis.Fold = Fold;")
    return engine
