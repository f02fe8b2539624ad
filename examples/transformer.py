"""A transformer learns to write like Python's manual, character by character, and is compared with counting.

The text is Python's help, which comes with it (`pydoc_data.topics`), each paragraph once; its last tenth is held out."""

import argparse
from collections import Counter, defaultdict
from pydoc_data.topics import topics

import numpy as np

import wengert as wg
from wengert import nn, optim


class Writer(nn.Module):
    def __init__(self, n_letters, context, width, n_blocks):
        nn.manual_seed(0)
        self.letters, self.places = nn.Embedding(n_letters, width), nn.Embedding(context, width)
        block = lambda: nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks, self.norm, self.out = [block() for _ in range(n_blocks)], nn.LayerNorm(width), nn.Linear(width, n_letters)

    def __call__(self, text):
        x = self.letters(text) + self.places(np.arange(text.shape[1]))
        for block in self.blocks:
            x = block(x, is_causal=True)
        return self.out(self.norm(x))


def loss(model, text):
    return nn.cross_entropy(np.swapaxes(model(text[:, :-1]), 1, 2), text[:, 1:])


def counted(known, held, order):
    """Bits per character of the held-out text by what followed `order` characters, or fewer, before (I. Witten and T. Bell, 1991)."""
    followers = defaultdict(Counter)
    for i, k in np.ndindex(len(known), order + 1):
        followers[known[max(i - k, 0) : i]][known[i]] += 1
    totals, chances = {history: seen.total() for history, seen in followers.items()}, np.full(len(held), 1 / 256)
    for i in range(order, len(held)):
        for k in range(order + 1):
            if (seen := followers.get(history := held[i - k : i])) is not None:
                chances[i] = (seen[held[i]] + len(seen) * chances[i]) / (totals[history] + len(seen))
    return -np.mean(np.log2(chances[order:]))


def write(model, alphabet, begin, n, context, temperature=0.8):
    rng, text = np.random.default_rng(0), [alphabet.index(letter) for letter in begin.rjust(context)]
    predict = wg.jit(lambda model, text: model(text[None])[0, -1])
    for _ in range(n):
        z = predict(model, np.array(text[-context:])) / temperature + rng.gumbel(size=len(alphabet))
        text.append(int(np.argmax(z)))  # a draw from the softmax
    return begin + "".join(alphabet[k] for k in text[context:])


def main(steps=2000, context=96, width=128, n_blocks=3, batch=24, limit=None, rate=2e-3, n_written=500):
    text = "\n\n".join(dict.fromkeys("\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")))[:limit]
    alphabet, n = sorted(set(text)), len(text) * 9 // 10
    codes = np.array([alphabet.index(letter) for letter in text])
    best, order = min((counted(text[:n], text[n:], order), order) for order in (3, 4, 5))
    print(f"{len(text):,} characters, {len(alphabet)} different; counting {order} characters back: {best:.3f} bits per character")

    def windows(rng):
        while True:
            yield codes[rng.integers(0, n - context, batch)[:, None] + np.arange(context + 1)]

    held = [codes[k : k + context][None] for k in range(n, len(codes) - context, context)]  # each predicts all but its first
    optimiser = optim.AdamW(lambda k: rate * np.minimum(k / 100, 0.5 + 0.5 * np.cos(np.pi * k / steps)), weight_decay=0.05)
    model = Writer(len(alphabet), context, width, n_blocks)
    result = wg.fit(model, loss, windows, optimiser, steps=steps, epoch_steps=max(steps // 10, 1), validation=held)
    bits = result.history["val_loss"][-1] / np.log(2)
    print(f"{nn.count_parameters(model):,} parameters, {result.steps} steps: {bits:.3f} bits per character\n")
    print(write(result.model, alphabet, "The value ", n_written, context))
    return bits, best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2000)
    main(parser.parse_args().steps)
