"""Optimisers, schedules and clipping, said for PyTorch and for wengert: 30 steps on the same small problem."""

import numpy as np

STEPS = 30

RULES = {  # name: (PyTorch's, ours)
    "SGD": ("SGD(ps, lr=0.05)", "SGD(lr=0.05)"),
    "SGD momentum": ("SGD(ps, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01)", "SGD(lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01)"),
    "SGD Nesterov": ("SGD(ps, lr=0.05, momentum=0.8, nesterov=True)", "SGD(lr=0.05, momentum=0.8, nesterov=True)"),
    "Adam": ("Adam(ps, lr=0.05)", "Adam(lr=0.05)"),
    "Adam defaults": ("Adam(ps)", "Adam()"),
    "Adam amsgrad": ("Adam(ps, lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, amsgrad=True)",
                     "Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1, amsgrad=True)"),
    "AdamW": ("AdamW(ps, lr=0.05)", "AdamW(lr=0.05)"),
    "AdamW amsgrad": ("AdamW(ps, lr=0.05, weight_decay=0.2, amsgrad=True)", "AdamW(lr=0.05, weight_decay=0.2, amsgrad=True)"),
    "RMSProp": ("RMSprop(ps, lr=0.02)", "RMSProp(lr=0.02)"),
    "RMSProp centred": ("RMSprop(ps, lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1, momentum=0.5, centered=True)",
                        "RMSProp(lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1, momentum=0.5, centered=True)"),
    "Adagrad": ("Adagrad(ps, lr=0.1)", "Adagrad(lr=0.1)"),
    "Adagrad decay": ("Adagrad(ps, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-5)",
                      "Adagrad(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-5)"),
}  # fmt: skip

SCHEDULES = {
    "constant": ("ConstantLR(o, 1.0)", "Constant(0.1)"),
    "step": ("StepLR(o, 7, gamma=0.5)", "Step(0.1, 7, gamma=0.5)"),
    "multi-step": ("MultiStepLR(o, [3, 11, 20], gamma=0.3)", "MultiStep(0.1, (3, 11, 20), gamma=0.3)"),
    "exponential": ("ExponentialLR(o, 0.9)", "Exponential(0.1, 0.9)"),
    "cosine": ("CosineAnnealingLR(o, 20, eta_min=0.01)", "Cosine(0.1, 20, lr_min=0.01)"),
    "restarts": ("CosineAnnealingWarmRestarts(o, 6, eta_min=0.01)", "CosineRestarts(0.1, 6, lr_min=0.01)"),
    "longer restarts": ("CosineAnnealingWarmRestarts(o, 4, T_mult=2)", "CosineRestarts(0.1, 4, multiple=2)"),
    "linear": ("LinearLR(o, 0.25, 0.75, total_iters=9)", "Linear(0.1, 9, start=0.25, end=0.75)"),
    "polynomial": ("PolynomialLR(o, 12, power=2.0)", "Polynomial(0.1, 12, power=2.0)"),
    "one cycle": ("OneCycleLR(o, 0.1, total_steps=40, cycle_momentum=False)", "OneCycle(0.1, 40)"),
    "one linear cycle": ("OneCycleLR(o, 0.1, total_steps=40, pct_start=0.5, anneal_strategy='linear', div_factor=10, final_div_factor=100, cycle_momentum=False)",
                         "OneCycle(0.1, 40, share=0.5, divisor=10, final_divisor=100, shape='linear')"),
    "warm-up": ("ChainedScheduler([LinearLR(o, 0.1, 1.0, total_iters=5), ExponentialLR(o, 0.95)])", "Warmup(Exponential(0.1, 0.95), 5, start=0.1)"),
    "piecewise": ("SequentialLR(o, [LinearLR(o, 0.1, 1.0, total_iters=5), StepLR(o, 4), ExponentialLR(o, 0.5)], [5, 20])",
                  "Piecewise((Linear(0.1, 5, start=0.1, end=1.0), Step(0.1, 4), Exponential(0.1, 0.5)), (5, 20))"),
}  # fmt: skip


def problem():
    """Weights, and data for `mean (tanh(x a + b) c - y)²`."""
    rng = np.random.default_rng(3)
    params = {"a": rng.normal(size=(3, 4)), "b": rng.normal(size=4), "c": rng.normal(size=4)}
    return params, rng.normal(size=(16, 3)), rng.normal(size=16)
