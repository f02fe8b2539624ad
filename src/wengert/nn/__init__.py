"""Layers, activations, losses and initial weights for neural networks: modules are containers of plain NumPy arrays."""

from wengert.nn import init
from wengert.nn.activations import *  # noqa: F403
from wengert.nn.basic import Bilinear, Dropout, Embedding, Flatten, Function, Identity, Linear, Sequential, dropout, embedding, linear
from wengert.nn.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from wengert.nn.module import Module
from wengert.nn.parts import buffers, count_parameters, grad, join, parameter_flags, parameters, split, value_and_grad, with_updates
from wengert.nn.streams import manual_seed, new_key
