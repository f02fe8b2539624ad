"""What PyTorch's optimisers and schedules do in 30 steps, in float64.

    python tests/optim/record.py     # by a Python that has torch; writes recorded/torch.npz
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from optimiser_cases import RULES, SCHEDULES, STEPS, problem

warnings.simplefilter("ignore")  # on the order of schedulers
NAMES = {**vars(torch.optim), **vars(torch.optim.lr_scheduler)}


def trajectory(optimiser, scheduler=None, clip=None, average=None):
    start, x, y = problem()
    ps = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    x, y = torch.tensor(x), torch.tensor(y)
    o = eval(optimiser, {**NAMES, "ps": ps.values()})
    schedule = eval(scheduler, {**NAMES, "o": o}) if scheduler else None
    averages = None
    if average is not None:
        holder = torch.nn.ParameterList(ps.values())
        averages = torch.optim.swa_utils.AveragedModel(holder, **average)
    path = []
    for _ in range(STEPS):
        o.zero_grad()
        (torch.tanh(x @ ps["a"] + ps["b"]) @ ps["c"] - y).square().mean().backward()
        if clip:
            clip(ps.values())
        o.step()
        if schedule:
            schedule.step()
        if averages:
            averages.update_parameters(holder)
        held = ps.values() if averages is None else averages.module.parameters()
        path.append(np.concatenate([p.detach().numpy().ravel() for p in held]))
    return np.array(path)


def rates(scheduler):
    o = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    schedule = eval(scheduler, {**NAMES, "o": o})
    found = []
    for _ in range(STEPS + 10):
        found.append(o.param_groups[0]["lr"])
        schedule.step()
    return np.array(found[: STEPS + 9])


if __name__ == "__main__":
    ema = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    recorded = {f"rule {name}": trajectory(text) for name, (text, _) in RULES.items()}
    recorded |= {f"schedule {name}": rates(text) for name, (text, _) in SCHEDULES.items()}
    recorded |= {f"scheduled {name}": trajectory("SGD(ps, lr=0.1, momentum=0.9)", text) for name, (text, _) in SCHEDULES.items()}
    recorded["clipped norm"] = trajectory("SGD(ps, lr=0.05)", clip=lambda ps: torch.nn.utils.clip_grad_norm_(ps, 0.5))
    recorded["clipped value"] = trajectory("SGD(ps, lr=0.05)", clip=lambda ps: torch.nn.utils.clip_grad_value_(ps, 0.1))
    recorded["exponential average"] = trajectory("Adam(ps, lr=0.05)", average={"multi_avg_fn": ema})
    recorded["equal average"] = trajectory("Adam(ps, lr=0.05)", average={})
    np.savez_compressed(Path(__file__).parent / "recorded" / "torch.npz", **recorded)
    print(f"{len(recorded)} trajectories, torch {torch.__version__}")
