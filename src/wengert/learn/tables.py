"""Rows of Parquet and CSV files, streamed: a table larger than memory trains like any other.

Apache Arrow reads the files; a row group of Parquet, or a block of CSV, is in memory at a time, and with them a pool of
rows that is shuffled.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wengert import _optional
from wengert.learn import mistakes

Columns = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """One or several files of the same columns; see `table`."""

    paths: tuple[str, ...]
    inputs: tuple[str, ...] | None = None
    target: str | None = None
    pool: int = 65_536

    def batches(self, batch_size: int | None, rng: np.random.Generator | None) -> Iterator[Any]:
        """Batches of rows.  With a random stream the pieces of the files come in a random order, and rows leave a pool at random."""
        held: list[Columns] = []
        n_held = 0
        pool = max(self.pool, batch_size or 0) if rng is not None else 0
        size = batch_size or 2**62
        for piece in self._pieces(rng):
            held.append(piece)
            n_held += n_rows(piece)
            if n_held >= pool + size and batch_size is not None:
                rows = mixed(held, rng)
                n_ready = (n_held - pool) // size * size
                yield from self._cut(rows, n_ready, size)
                held, n_held = [part(rows, n_ready, n_held)], n_held - n_ready
        if n_held:
            yield from self._cut(mixed(held, rng), n_held, size)

    def _cut(self, rows: Columns, stop: int, size: int) -> Iterator[Any]:
        for start in range(0, stop, size):
            yield self._arranged(part(rows, start, min(start + size, stop)))

    def _arranged(self, rows: Columns) -> Any:
        if self.target is None and self.inputs is None:
            return rows
        names = self.inputs or [name for name in rows if name != self.target]
        x = np.stack([rows[name] for name in names], axis=1)
        return x if self.target is None else (x, rows[self.target])

    def _pieces(self, rng: np.random.Generator | None) -> Iterator[Columns]:
        """The pieces of all files, each a dict of columns."""
        arrow = _optional.load("pyarrow.dataset", "reading tables", "learn")
        wanted = None
        if self.inputs is not None:
            wanted = [*self.inputs, *([self.target] if self.target is not None else [])]
        for fragment in self._fragments(arrow, rng):
            for batch in fragment.to_batches(columns=wanted, batch_readahead=1):
                if batch.num_rows:
                    yield {
                        name: np.asarray(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)
                    }

    def _fragments(self, arrow: Any, rng: np.random.Generator | None) -> list[Any]:
        found: list[Any] = []
        for path in self.paths:
            kind = "csv" if path.lower().endswith((".csv", ".csv.gz", ".tsv")) else "parquet"
            for fragment in arrow.dataset(path, format=kind).get_fragments():
                found += fragment.split_by_row_group() if kind == "parquet" else [fragment]
        return found if rng is None else [found[k] for k in rng.permutation(len(found))]


def n_rows(columns: Columns) -> int:
    """The number of rows."""
    return len(next(iter(columns.values())))


def part(columns: Columns, start: int, stop: int) -> Columns:
    """Some rows."""
    return {name: values[start:stop] for name, values in columns.items()}


def mixed(pieces: Sequence[Columns], rng: np.random.Generator | None) -> Columns:
    """The rows of all pieces, in a random order if there is a stream of random numbers."""
    rows = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    if rng is None:
        return rows
    order = rng.permutation(n_rows(rows))
    return {name: values[order] for name, values in rows.items()}


def table(path: Any, inputs: Sequence[str] | None = None, target: str | None = None, pool: int = 65_536) -> Table:
    """Rows of Parquet or CSV files as data for `wg.fit`, read piece by piece.

    Args:
        path: a file (`.parquet`, `.csv`, `.csv.gz`) or several.
        inputs: columns that are stacked into `x` of shape `(rows, len(inputs))`; left out with a target: all others.
        target: the column that becomes `y`; the batches are then `(x, y)`.
        pool: how many rows are held for shuffling; more mix better.

    With neither `inputs` nor `target` a batch is a dict of columns, one argument of the loss.

    Raises:
        TrainingError: there is no such file.
    """
    paths = (path,) if isinstance(path, (str, os.PathLike)) else tuple(path)
    for name in paths:
        if not os.path.exists(name):
            raise mistakes.no_file(os.fspath(name))
    return Table(tuple(map(os.fspath, paths)), None if inputs is None else tuple(inputs), target, pool)
