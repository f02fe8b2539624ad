"""Layers and functions, said once for PyTorch and for wengert: where both spell a thing alike, one text serves both.

`nn`, `F` and `T` are `torch.nn`, `torch.nn.functional` and `torch.tensor`, or `wengert.nn` twice and `np.asarray`.
"""

import zlib
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    name: str
    model: object  # a text, or (PyTorch's, ours); None for a function
    inputs: dict = field(default_factory=lambda: {"x": (2, 3)})  # shapes, or (number of labels, shape) for integers
    call: object = "m(x)"  # a text, or (PyTorch's, ours)
    compiled: bool = False
    rtol: float = 1e-12

    def text(self, of, ours):
        both = getattr(self, of)
        return both[ours] if isinstance(both, tuple) else both

    def rng(self):
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def arrays(self):
        rng = self.rng()
        found = {}
        for name, shape in self.inputs.items():
            is_labels = len(shape) == 2 and isinstance(shape[1], tuple)
            found[name] = rng.integers(shape[0], size=shape[1]) if is_labels else rng.normal(size=shape)
        if "p" in found:  # probabilities
            found["p"] = 1 / (1 + np.exp(-found["p"]))
        return found


def weight(case, name, shape):
    """The weights of a case: each by its own stream, so that the order does not matter."""
    rng = np.random.default_rng([zlib.crc32(case.name.encode()), zlib.crc32(name.encode())])
    drawn = rng.normal(size=shape) * 0.5
    return np.abs(drawn) + 0.5 if name.endswith("running_var") else drawn


def cotangents(case, outputs):
    rng = np.random.default_rng([zlib.crc32(case.name.encode()), 7])
    return [rng.normal(size=np.shape(y)) for y in outputs]


CONV = {1: (2, 4, 9), 2: (2, 4, 7, 6), 3: (1, 2, 5, 4, 5)}


def convolutions():
    for n in (1, 2, 3):
        c = CONV[n][1]
        x = {"x": CONV[n]}
        yield Case(f"conv{n}d", f"nn.Conv{n}d({c}, 6, 3)", x, compiled=n < 3)
        yield Case(f"conv{n}d same dilated", f"nn.Conv{n}d({c}, 3, 3, padding='same', dilation=2, bias=False)", x)
        yield Case(f"conv{n}d stride groups", f"nn.Conv{n}d({c}, 4, 2, stride=2, padding=1, groups=2)", x, compiled=n == 2)
        yield Case(f"conv transpose {n}d", f"nn.ConvTranspose{n}d({c}, 3, 3, stride=2, padding=1, output_padding=1)", x, compiled=n == 2)
    yield Case("conv1d circular", "nn.Conv1d(4, 4, 3, padding=1, padding_mode='circular')", {"x": CONV[1]})
    yield Case("conv2d reflect", "nn.Conv2d(4, 2, (3, 2), padding=(2, 1), padding_mode='reflect')", {"x": CONV[2]})
    yield Case("conv2d replicate", "nn.Conv2d(4, 2, 3, padding=1, padding_mode='replicate')", {"x": CONV[2]})
    yield Case("conv2d even same", "nn.Conv2d(4, 2, (4, 2), padding='same')", {"x": CONV[2]})
    yield Case("conv2d depthwise", "nn.Conv2d(4, 8, 3, padding=1, groups=4)", {"x": CONV[2]})
    yield Case("conv transpose 2d groups", "nn.ConvTranspose2d(4, 6, (3, 2), stride=(1, 3), groups=2, dilation=2, bias=False)", {"x": CONV[2]})
    yield Case("conv transpose 1d cut", "nn.ConvTranspose1d(4, 3, 2, stride=3, padding=2, output_padding=1)", {"x": CONV[1]})


def pools():
    for n in (1, 2, 3):
        x = {"x": {1: (2, 3, 11), 2: (2, 3, 8, 7), 3: (1, 2, 6, 5, 7)}[n]}
        yield Case(f"max pool {n}d", f"nn.MaxPool{n}d(2)", x, compiled=n == 2)
        yield Case(f"max pool {n}d overlapping", f"nn.MaxPool{n}d(3, stride=2, padding=1)", x, compiled=n == 2)
        yield Case(f"avg pool {n}d", f"nn.AvgPool{n}d(2)", x, compiled=n == 2)
        yield Case(f"avg pool {n}d ceil", f"nn.AvgPool{n}d(3, stride=2, padding=1, ceil_mode=True)", x)
        yield Case(f"avg pool {n}d inside", f"nn.AvgPool{n}d(3, stride=2, padding=1, count_include_pad=False)", x)
        yield Case(f"adaptive avg pool {n}d", f"nn.AdaptiveAvgPool{n}d(3)", x)
        yield Case(f"adaptive max pool {n}d", f"nn.AdaptiveMaxPool{n}d(4)", x)
    yield Case("max pool 2d dilated ceil", "nn.MaxPool2d(2, stride=2, dilation=2, ceil_mode=True)", {"x": (2, 3, 8, 7)})
    yield Case("adaptive avg pool 2d mixed", "nn.AdaptiveAvgPool2d((None, 2))", {"x": (2, 3, 8, 7)})
    yield Case("global avg pool", ("nn.AdaptiveAvgPool2d(1)", "nn.GlobalAvgPool()"), {"x": (2, 3, 8, 7)}, ("m(x)[:, :, 0, 0]", "m(x)"))
    yield Case("global max pool", ("nn.AdaptiveMaxPool2d(1)", "nn.GlobalMaxPool()"), {"x": (2, 3, 8, 7)}, ("m(x)[:, :, 0, 0]", "m(x)"))


def norms():
    for n, shape in ((1, (6, 4)), (1, (3, 4, 5)), (2, (3, 4, 5, 2)), (3, (2, 4, 3, 2, 2))):
        yield Case(f"batch norm {n}d of {len(shape)} axes", f"nn.BatchNorm{n}d(4)", {"x": shape}, compiled=n == 2)
        yield Case(f"batch norm {n}d of {len(shape)} axes, used", f"nn.BatchNorm{n}d(4, eps=1e-3).eval()", {"x": shape})
    yield Case("batch norm equal shares", "nn.BatchNorm1d(4, momentum=None)", {"x": (6, 4)})
    yield Case("batch norm bare", "nn.BatchNorm1d(4, affine=False, track_running_stats=False)", {"x": (6, 4)})
    yield Case("layer norm", "nn.LayerNorm(5)", {"x": (2, 3, 5)}, compiled=True)
    yield Case("layer norm of two axes", "nn.LayerNorm((3, 5), eps=1e-3)", {"x": (2, 3, 5)})
    yield Case("layer norm without bias", "nn.LayerNorm(5, bias=False)", {"x": (2, 3, 5)})
    yield Case("group norm", "nn.GroupNorm(2, 4)", {"x": (2, 4, 3, 2)}, compiled=True)
    yield Case("instance norm 1d", "nn.InstanceNorm1d(4, affine=True)", {"x": (2, 4, 6)})
    yield Case("instance norm 2d", "nn.InstanceNorm2d(4)", {"x": (2, 4, 3, 5)})
    yield Case("instance norm 3d", "nn.InstanceNorm3d(2)", {"x": (2, 2, 3, 2, 2)})
    yield Case("rms norm", "nn.RMSNorm(5, eps=1e-5)", {"x": (2, 3, 5)}, compiled=True)


def sequences():
    for kind in ("RNN", "GRU", "LSTM"):
        states = {"h": (1, 2, 4), "c": (1, 2, 4)} if kind == "LSTM" else {"h": (1, 2, 4)}
        given, outputs = ("(h, c)", "(lambda y, s: (y, *s))(*m(x, {}))") if kind == "LSTM" else ("h", "m(x, {})")
        yield Case(f"{kind}", f"nn.{kind}(3, 4)", {"x": (5, 2, 3), **states}, outputs.format(given), compiled=True)
        call = "(lambda y, s: (y, *s))(*m(x))" if kind == "LSTM" else "m(x)"
        yield Case(f"{kind} deep", f"nn.{kind}(3, 4, 2, bidirectional=True, batch_first=True)", {"x": (2, 5, 3)}, call)
        yield Case(f"{kind} bare", f"nn.{kind}(3, 4, bias=False)", {"x": (5, 3)}, call)
        cell_states = {name: shape[1:] for name, shape in states.items()}
        yield Case(f"{kind} cell", f"nn.{kind}Cell(3, 4)", {"x": (2, 3), **cell_states}, f"m(x, {given})")
    yield Case("RNN relu", ("nn.RNN(3, 4, nonlinearity='relu')", "nn.RNN(3, 4, activation='relu')"), {"x": (5, 2, 3)})


MASK = "T(np.tri(5) == 0)"


def attentions():
    x = {"x": (2, 5, 8)}
    yield Case("attention", "nn.MultiheadAttention(8, 2, batch_first=True)", x, ("m(x, x, x)", "m(x, need_weights=True)"), compiled=True)
    yield Case("attention causal", "nn.MultiheadAttention(8, 4, batch_first=True)", x,
               (f"m(x, x, x, attn_mask={MASK}, need_weights=False)[0]", "m(x, is_causal=True)"))  # fmt: skip
    yield Case("attention with a mask of numbers", "nn.MultiheadAttention(8, 2)", {"x": (5, 2, 8), "mask": (5, 5)},
               ("m(x, x, x, attn_mask=mask)", "m(x, attn_mask=mask, need_weights=True)"))  # fmt: skip
    yield Case("attention to padded keys", "nn.MultiheadAttention(8, 2, batch_first=True)", {"x": (2, 3, 8), "k": (2, 4, 8)},
               ("m(x, k, k, key_padding_mask=T([[False] * 4, [False, False, True, True]]))[0]",
                "m(x, k, key_padding_mask=T([[False] * 4, [False, False, True, True]]))"))  # fmt: skip
    yield Case("attention of other widths", ("nn.MultiheadAttention(8, 2, kdim=3, vdim=5, bias=False, batch_first=True)",
                                             "nn.MultiheadAttention(8, 2, key_width=3, value_width=5, bias=False, batch_first=True)"),
               {"x": (2, 3, 8), "k": (2, 4, 3), "v": (2, 4, 5)}, ("m(x, k, v)[0]", "m(x, k, v)"))  # fmt: skip
    qkv = {"q": (2, 3, 4), "k": (2, 5, 4), "v": (2, 5, 6)}
    yield Case("scaled dot products", None, qkv, "F.scaled_dot_product_attention(q, k, v)")
    yield Case("scaled dot products, causal", None, {name: (2, 5, 4) for name in "qkv"}, "F.scaled_dot_product_attention(q, k, v, is_causal=True)")
    yield Case("scaled dot products, masked", None, qkv, ("F.scaled_dot_product_attention(q, k, v, attn_mask=T(np.eye(3, 5) == 0))",
                                                          "F.scaled_dot_product_attention(q, k, v, T(np.eye(3, 5) == 0))"))  # fmt: skip
    for order in ("True", "False"):
        yield Case(f"encoder layer, norm first {order}", f"nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first={order})", x,
                   (f"m(x, {MASK})", f"m(x, {MASK})"), compiled=order == "True")  # fmt: skip
    yield Case("decoder layer", "nn.TransformerDecoderLayer(8, 2, 16, 0.0, 'gelu')", {"x": (5, 2, 8), "memory": (3, 2, 8)},
               (f"m(x, memory, {MASK})", f"m(x, memory, {MASK})"))  # fmt: skip
    encoder = "nn.TransformerEncoderLayer(8, 2, 16, 0.0)"
    yield Case("encoder", (f"nn.TransformerEncoder({encoder}, 2, nn.LayerNorm(8), enable_nested_tensor=False)",
                           f"nn.TransformerEncoder([{encoder}, {encoder}], nn.LayerNorm(8))"), {"x": (5, 2, 8)})  # fmt: skip


def simple():
    yield Case("linear", "nn.Linear(3, 4)", {"x": (2, 5, 3)}, compiled=True)
    yield Case("linear without bias", "nn.Linear(3, 4, bias=False)", {"x": (3,)})
    yield Case("bilinear", "nn.Bilinear(3, 4, 2)", {"x": (5, 3), "z": (5, 4)}, "m(x, z)")
    yield Case("embedding", "nn.Embedding(7, 3)", {"k": (7, (2, 5))}, "m(k)", compiled=True)
    yield Case("embedding with padding", "nn.Embedding(4, 3, padding_idx=1)", {"k": (4, (2, 5))}, "m(k)")
    yield Case("sequential", "nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 4), nn.Flatten(0)))", {"x": (2, 3)})
    yield Case("dropout, used", "nn.Dropout(0.5).eval()")


ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "logsigmoid", "sigmoid", "tanh", "hardtanh",
    "hardsigmoid", "hardswish",
]  # fmt: skip
LAYERS = [
    "ReLU()", "ReLU6()", "LeakyReLU(0.2)", "PReLU(1)", "PReLU(4)", "ELU(0.5)", "CELU(0.5)", "SELU()", "GELU()", "SiLU()", "Mish()",
    "Softplus(2.0, 3.0)", "LogSigmoid()", "Sigmoid()", "Tanh()", "Hardtanh(-0.5, 0.25)", "Hardsigmoid()", "Hardswish()", "GLU(1)",
    "Softmax(1)", "LogSoftmax(1)",
]  # fmt: skip


SIXTH = 1e-7  # PyTorch's slope of hardsigmoid is the float32 number nearest to 1/6, in float64 as well


def activations():
    for name in ACTIVATIONS:
        call = "10 * F.logsigmoid(5 * x)" if name == "logsigmoid" else f"F.{name}(5 * x)"
        yield Case(name, None, {"x": (4, 6)}, call, rtol=SIXTH if name == "hardsigmoid" else 1e-12)
    yield Case("gelu by tanh", None, {"x": (4, 6)}, "F.gelu(x, approximate='tanh')")
    for name in LAYERS:
        yield Case(f"layer {name}", f"nn.{name}", {"x": (3, 4, 2)}, rtol=SIXTH if name == "Hardsigmoid()" else 1e-12)
    yield Case("softmax large", None, {"x": (3, 4)}, ("F.softmax(300 * x, dim=0)", "F.softmax(300 * x, axis=0)"))
    yield Case("glu", None, {"x": (3, 4)}, "F.glu(x)")


def losses():
    real = {"x": (3, 4), "t": (3, 4)}
    for reduction in ("mean", "sum", "none"):
        end = f"reduction='{reduction}'"
        yield Case(f"mse {reduction}", None, real, f"F.mse_loss(x, t, {end})")
        yield Case(f"l1 {reduction}", None, real, f"F.l1_loss(x, t, {end})")
        yield Case(f"huber {reduction}", None, real, f"F.huber_loss(x, t, {end}, delta=0.5)")
        yield Case(f"smooth l1 {reduction}", None, real, f"F.smooth_l1_loss(x, t, {end}, beta=0.5)")
        yield Case(f"binary cross entropy {reduction}", None, {"p": (3, 4)}, f"F.binary_cross_entropy(p, T(np.eye(3, 4)), {end})")
        logits = "F.binary_cross_entropy_with_logits(30 * x, T(np.eye(3, 4)), {})"
        yield Case(f"binary cross entropy with logits {reduction}", None, {"x": (3, 4)}, logits.format(end))
        yield Case(f"kl {reduction}", None, {"x": (3, 4), "p": (3, 4)}, f"F.kl_div(x, p, {end})")
        labels = {"x": (6, 5), "k": (5, (6,))}
        yield Case(f"nll {reduction}", None, labels, f"F.nll_loss(x, k, {end})")
        yield Case(f"cross entropy {reduction}", None, labels, f"F.cross_entropy(x, k, {end})", compiled=reduction == "mean")
        weights = "T(np.array([1.0, 2.0, 0.5, 0.0, 3.0]))"
        full = f"F.cross_entropy(x, k, weight={weights}, ignore_index=2, label_smoothing=0.1, {end})"
        yield Case(f"cross entropy weighted {reduction}", None, {"x": (6, 5, 3), "k": (5, (6, 3))}, full)
        yield Case(f"cross entropy of probabilities {reduction}", None, {"x": (6, 5), "p": (6, 5)}, f"F.cross_entropy(x, p, label_smoothing=0.2, {end})")
    yield Case("kl batchmean", None, {"x": (3, 4), "t": (3, 4)}, "F.kl_div(x, t, reduction='batchmean', log_target=True)")
    yield Case("bce weights", None, {"x": (3, 4), "p": (3, 4)}, "F.binary_cross_entropy_with_logits(x, p, pos_weight=T(np.arange(1.0, 5.0)))")
    yield Case("cross entropy of one", None, {"x": (5,)}, "F.cross_entropy(x, T(3))")
    lengths = "T(np.array([7, 5, 6])), T(np.array([3, 2, 1]))"
    for reduction in ("mean", "sum", "none"):
        text = f"F.ctc_loss(F.log_softmax(x, -1), T(np.array([[1, 2, 2], [3, 1, 0], [2, 0, 0]])), {lengths}, reduction='{reduction}')"
        yield Case(f"ctc {reduction}", None, {"x": (7, 3, 4)}, text)


CASES = [case for group in (simple, activations, convolutions, pools, norms, sequences, attentions, losses) for case in group()]
assert len({case.name for case in CASES}) == len(CASES)
