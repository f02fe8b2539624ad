"""Handwritten digits read by a network in PyTorch's style, line by line as in its tutorials.

To run it on PyTorch itself, change the first two imports to `import torch` and `from torch import optim`.
"""

import numpy as np
from sklearn.datasets import load_digits

import wengert.tensor as torch
from wengert.optim import tensors as optim


def load(dtype=np.float32):
    """1,797 images of 8 by 8 pixels: four fifths to learn from, one fifth to be judged by."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images, labels = torch.tensor((data.data[order] / 16).astype(dtype)), torch.tensor(data.target[order])
    cut = len(labels) // 5
    return (images[cut:], labels[cut:]), (images[:cut], labels[:cut])


class Network:
    """64 pixels, 128 hidden units, 10 digits."""

    def __init__(self, width=128):
        self.w1 = (torch.randn(64, width) * (2 / 64) ** 0.5).requires_grad_()
        self.b1 = torch.zeros(width, requires_grad=True)
        self.w2 = (torch.randn(width, 10) * (1 / width) ** 0.5).requires_grad_()
        self.b2 = torch.zeros(10, requires_grad=True)

    def parameters(self):
        return [self.w1, self.b1, self.w2, self.b2]

    def __call__(self, x):
        hidden = torch.relu(x @ self.w1 + self.b1)
        return hidden @ self.w2 + self.b2


def cross_entropy(logits, labels):
    return -torch.log_softmax(logits, 1)[torch.arange(len(labels)), labels].mean()


def main(epochs=30, batch_size=32):
    torch.manual_seed(0)
    (images, labels), (test_images, test_labels) = load()
    model = Network()
    optimizer = optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(labels))
        for start in range(0, len(labels), batch_size):
            batch = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        with torch.no_grad():
            accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
        print(f"epoch {epoch + 1:2}: loss {total / len(labels):.4f}, {accuracy:.1%} of the digits held out are read right")
    return accuracy


if __name__ == "__main__":
    main()
