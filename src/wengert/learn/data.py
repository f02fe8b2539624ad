"""Where batches come from: arrays, iterables, functions, datasets, loaders, tables.

A `Source` walks through the data once for each epoch.  The order of an epoch is a function of the seed and of the
epoch's number alone, so a run that is taken up again in the middle of an epoch sees the same batches.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from wengert import trees
from wengert.learn import mistakes
from wengert.learn.tables import Table, table

Batch = tuple[Any, ...]


def generator_of(seed: int, *words: int) -> np.random.Generator:
    """The random stream of this seed and of these numbers."""
    return np.random.default_rng([seed, *words])


def epoch_stream(seed: int, epoch: int) -> np.random.Generator:
    """The random stream of an epoch; the number 0 is left to what is drawn once (`Arrays.split`)."""
    return generator_of(seed, epoch + 1)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How batches are made of rows."""

    batch_size: int | None
    shuffle: bool
    seed: int
    dtype: Any = None  # of the floating-point arrays; None leaves them as they are

    def for_evaluation(self) -> Settings:
        """The same for held-out data: in their own order."""
        return dataclasses.replace(self, shuffle=False)

    def size_for(self, n_rows: int) -> int:
        """The rows of a batch of data with so many rows: all of them, where they are fewer than a batch."""
        if n_rows == 0:
            raise mistakes.empty_data()
        return min(self.batch_size or n_rows, n_rows)

    def conform(self, x: Any) -> Any:
        """One leaf of a batch as an array of the dtype that the model computes in."""
        x = np.asarray(x)
        return x.astype(self.dtype) if self.dtype is not None and x.dtype.kind == "f" and x.dtype != self.dtype else x


class Source:
    """Batches for each epoch, as tuples: the arguments of the loss after the model."""

    n_steps: int | None = None  # in an epoch, where that is known
    n_rows: int | None = None

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first `skip`."""
        raise NotImplementedError

    def pass_over(self, n_steps: int) -> None:
        """Move what cannot begin again to where a run of so many steps had left it."""


def as_arguments(batch: Any) -> Batch:
    """A tuple is a sequence of arguments, and anything else is one."""
    if isinstance(batch, list) or type(batch) is tuple:
        return tuple(batch)
    return (batch,)


class Nothing(Source):
    """A loss of the model alone: each step is an epoch."""

    n_steps = 1

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """One batch without arguments."""
        return iter([()][skip:])


class Arrays(Source):
    """Rows of arrays, drawn without repeating any; the last batch of an epoch may be smaller."""

    def __init__(self, data: Any, settings: Settings) -> None:
        leaves, self.structure = trees.flatten(data)
        names = trees.paths(data)
        for name, x in zip(names, leaves, strict=True):
            if not hasattr(x, "__array__") or not np.shape(x):
                raise mistakes.no_array(name, x)
        lengths = [len(x) for x in leaves]
        if not lengths:
            raise mistakes.empty_data()
        if len(set(lengths)) > 1:
            raise mistakes.lengths_differ(names, lengths)
        self.settings, self.n_rows = settings, lengths[0]
        self.size = settings.size_for(self.n_rows)
        self.n_steps = -(-self.n_rows // self.size)
        # what lies on a disk stays there, and is conformed batch by batch
        self.leaves = [x if isinstance(x, np.memmap) else settings.conform(x) for x in leaves]

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Rows in the order of this epoch."""
        if self.size == self.n_rows and not self.settings.shuffle:
            yield from [self._batch(self.leaves)][skip:]
            return
        order = np.arange(self.n_rows or 0)
        if self.settings.shuffle:
            order = epoch_stream(self.settings.seed, epoch).permutation(self.n_rows or 0)
        for start in range(skip * self.size, len(order), self.size):
            rows = order[start : start + self.size]
            yield self._batch([self.settings.conform(x.take(rows, 0)) for x in self.leaves])

    def _batch(self, leaves: list[Any]) -> Batch:
        return as_arguments(trees.unflatten(self.structure, leaves))

    def split(self, fraction: float) -> tuple[Arrays, Arrays]:
        """What is learnt from, and what is held out: rows chosen by the seed."""
        n_held = round(fraction * (self.n_rows or 0))
        if not 0 < n_held < (self.n_rows or 0):
            raise mistakes.no_fraction(fraction)
        order = generator_of(self.settings.seed, 0).permutation(self.n_rows or 0)
        kept, held = np.sort(order[n_held:]), np.sort(order[:n_held])
        parts = [trees.unflatten(self.structure, [x[rows] for x in self.leaves]) for rows in (kept, held)]
        return Arrays(parts[0], self.settings), Arrays(parts[1], self.settings.for_evaluation())


class Dataset(Source):
    """Examples by number (`dataset[k]`, `len(dataset)`), stacked into batches: `torch.utils.data.Dataset` and its like."""

    def __init__(self, dataset: Any, settings: Settings) -> None:
        self.dataset, self.settings, self.n_rows = dataset, settings, len(dataset)
        self.size = settings.size_for(self.n_rows)
        self.n_steps = -(-self.n_rows // self.size)

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Examples in the order of this epoch."""
        order = np.arange(self.n_rows or 0)
        if self.settings.shuffle:
            order = epoch_stream(self.settings.seed, epoch).permutation(self.n_rows or 0)
        for start in range(skip * self.size, len(order), self.size):
            yield stack(self._items(order[start : start + self.size].tolist()), self.settings)

    def _items(self, rows: list[int]) -> list[Any]:
        if hasattr(self.dataset, "__getitems__"):  # the protocol of datasets that fetch many at once
            return list(self.dataset.__getitems__(rows))
        return [self.dataset[k] for k in rows]


class Stream(Source):
    """Batches that something iterable yields; `start` begins an epoch's walk."""

    def __init__(self, start: Callable[[int], Iterable[Any]], settings: Settings) -> None:
        self.start, self.settings = start, settings

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The batches as they come; those that are skipped are drawn, too."""
        for batch in itertools.islice(iter(self.start(epoch)), skip, None):
            yield as_arguments(trees.map_leaves(self.settings.conform, batch))


class Once(Source):
    """A generator that is there already: each epoch goes on where the last one stopped."""

    def __init__(self, iterator: Iterator[Any], settings: Settings) -> None:
        self.iterator, self.settings = iterator, settings

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The rest of it; what was to be skipped has been passed over."""
        for batch in self.iterator:
            yield as_arguments(trees.map_leaves(self.settings.conform, batch))

    def pass_over(self, n_steps: int) -> None:
        """Draw the batches of those steps."""
        next(itertools.islice(self.iterator, n_steps, n_steps), None)


class Limited(Source):
    """At most so many steps are an epoch, whatever the data say."""

    def __init__(self, source: Source, n_steps: int) -> None:
        self.source, self.n_rows = source, source.n_rows
        self.n_steps = n_steps if source.n_steps is None else min(n_steps, source.n_steps)
        self.limit = n_steps

    def batches(self, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """The first steps of the epoch."""
        return itertools.islice(self.source.batches(epoch, skip), max(self.limit - skip, 0))

    def pass_over(self, n_steps: int) -> None:
        """As its source does."""
        self.source.pass_over(n_steps)


def stack(examples: list[Any], settings: Settings) -> Batch:
    """Examples of one structure as a batch: each leaf gets a first axis."""
    structure = trees.flatten(examples[0])[1]
    columns = zip(*[trees.flatten(example)[0] for example in examples], strict=True)
    stacked = [settings.conform(np.stack([np.asarray(x) for x in column])) for column in columns]
    return as_arguments(trees.unflatten(structure, stacked))


def source_of(data: Any, settings: Settings) -> Source:
    """The source that the user's data are; which one is seen from what the data can do."""
    if isinstance(data, Source):
        return data
    if data is None:
        return Nothing()
    if isinstance(data, (str, os.PathLike)):
        data = table(data)
    if isinstance(data, Table):
        return Stream(
            lambda epoch: data.batches(
                settings.batch_size, epoch_stream(settings.seed, epoch) if settings.shuffle else None
            ),
            settings,
        )
    if isinstance(data, (np.ndarray, tuple, Mapping)) or dataclasses.is_dataclass(data):
        return Arrays(data, settings)
    return _source_of_object(data, settings)


def _source_of_object(data: Any, settings: Settings) -> Source:
    if hasattr(data, "dataset") and hasattr(data, "__iter__"):  # a loader, which makes batches itself
        return Stream(lambda epoch: _seeded_walk(data, settings.seed, epoch), settings)
    if _is_stream_of_examples(data):
        return Stream(lambda epoch: _batched(data, settings), settings)
    if isinstance(getattr(data, "tensors", None), tuple):  # a dataset of whole arrays
        return Arrays(tuple(map(np.asarray, data.tensors)), settings)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, list):
        return Dataset(data, settings)
    if callable(data):
        takes_stream = bool(inspect.signature(data).parameters)
        return Stream(lambda epoch: data(epoch_stream(settings.seed, epoch)) if takes_stream else data(), settings)
    if isinstance(data, Iterator):
        return Once(data, settings)
    if isinstance(data, Iterable):
        return Stream(lambda epoch: data, settings)
    raise mistakes.unknown_data(data)


def _is_stream_of_examples(data: Any) -> bool:
    """Whether it is an iterable dataset in PyTorch's sense, which yields examples and not batches."""
    return any(
        kind.__name__ == "IterableDataset" and kind.__module__.startswith("torch.") for kind in type(data).__mro__
    )


def _batched(examples: Iterable[Any], settings: Settings) -> Iterator[Any]:
    """Consecutive examples, stacked; in their own order, as nobody can shuffle a stream."""
    walk = iter(examples)
    while chunk := list(itertools.islice(walk, settings.batch_size)):
        yield stack(chunk, settings)


def _seeded_walk(loader: Any, seed: int, epoch: int) -> Iterable[Any]:
    """A loader's batches; one that has a random generator of its own is seeded for each epoch, so that a run can be repeated."""
    generator = getattr(loader, "generator", None)
    if generator is not None:
        generator.manual_seed(int(epoch_stream(seed, epoch).integers(2**63)))
    return loader  # type: ignore[no-any-return]  # another library's, which has no types
