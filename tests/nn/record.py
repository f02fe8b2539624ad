"""What PyTorch says of every case, in float64: outputs, gradients of weights and inputs, new buffers.

    python tests/nn/record.py     # by a Python that has torch; writes recorded/torch.npz
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from layer_cases import CASES, cotangents, weight


def run(case):
    names = {"nn": torch.nn, "F": torch.nn.functional, "T": torch.tensor, "np": np}
    inputs = {name: torch.tensor(value, requires_grad=value.dtype.kind == "f") for name, value in case.arrays().items()}
    model, before, found = None, {}, {}
    if case.model:
        model = eval(case.text("model", 0), names).double()
        state = {name: torch.tensor(weight(case, name, tuple(old.shape))) for name, old in model.state_dict().items() if old.dtype.is_floating_point}
        model.load_state_dict(state, strict=False)
        names["m"] = model
        before = {name: value.clone() for name, value in model.named_buffers()}
    out = eval(case.text("call", 0), {**names, **inputs})
    outputs = list(out) if isinstance(out, tuple) else [out]
    total = sum((y * torch.tensor(ct)).sum() for y, ct in zip(outputs, cotangents(case, [y.detach().numpy() for y in outputs]), strict=True))
    total.backward()
    found |= {f"y{k}": y for k, y in enumerate(outputs)}
    found |= {f"d {name}": x.grad for name, x in inputs.items() if x.requires_grad}
    if model is not None:
        found |= {f"dw {name}": p.grad for name, p in model.named_parameters()}
        found |= {f"b {name}": value for name, value in model.named_buffers() if before[name].dtype.is_floating_point}
    return {name: value.detach().numpy() for name, value in found.items()}


if __name__ == "__main__":
    recorded = {f"{case.name}: {name}": value for case in CASES for name, value in run(case).items()}
    np.savez_compressed(Path(__file__).parent / "recorded" / "torch.npz", **recorded)
    print(f"{len(CASES)} cases, {len(recorded)} arrays, torch {torch.__version__}")
