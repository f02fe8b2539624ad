"""Batches from everything that has some; the torch protocol is acted out by stand-ins with the same methods."""

import dataclasses
import types

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import wengert as wg
from wengert import learn, optim
from wengert.learn.data import Settings, source_of


def settings(batch_size=4, shuffle=False, seed=0, dtype=None):
    return Settings(batch_size, shuffle, seed, dtype)


def rows_of(source, epoch=0, skip=0):
    return [batch[0].tolist() for batch in source.batches(epoch, skip)]


def test_containers_of_arrays():
    x, y = np.arange(10.0), np.arange(10)

    @dataclasses.dataclass
    class Pair:
        x: np.ndarray
        y: np.ndarray

    assert rows_of(source_of(x, settings())) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    (first, *_) = source_of((x, {"y": y}), settings()).batches(0)
    assert first[0].tolist() == first[1]["y"].tolist() == [0, 1, 2, 3]
    ((pair,), *_) = source_of(Pair(x, y), settings()).batches(0)
    assert pair.x.tolist() == pair.y.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_an_epoch_can_be_entered_in_the_middle(skip, shuffle):
    source = source_of(np.arange(10.0), settings(shuffle=shuffle))
    assert rows_of(source, 7, skip) == rows_of(source, 7)[skip:]
    assert (rows_of(source, 7) == rows_of(source, 8)) is not shuffle


def test_data_on_a_disk_stay_there(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(10.0))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    source = source_of((x,), settings(dtype=np.dtype(np.float32)))
    assert source.leaves[0] is x
    (batch, *_) = source.batches(0)
    assert batch[0].dtype == np.float32
    assert batch[0].tolist() == [0, 1, 2, 3]


def test_iterables_functions_and_generators():
    batches = [(np.full(2, k), np.full(2, -k)) for k in range(3)]
    assert rows_of(source_of(batches, settings())) == [[0, 0], [1, 1], [2, 2]]
    assert rows_of(source_of(lambda: iter(batches), settings()), 5, 1) == [[1, 1], [2, 2]]

    def drawn(rng):
        for _ in range(3):
            yield rng.normal(size=2)

    source = source_of(drawn, settings())
    assert rows_of(source, 0) == rows_of(source, 0)
    assert rows_of(source, 0) != rows_of(source, 1)
    once = source_of((batch for batch in batches), settings())
    once.pass_over(1)
    assert rows_of(once) == [[1, 1], [2, 2]]
    assert rows_of(once) == []


class Tensor:
    """A tensor as far as anybody asks: NumPy can read it."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    shape = property(lambda self: self.values.shape)

    def __len__(self):
        return len(self.values)


class Squares:
    """A dataset by number, as `torch.utils.data.Dataset`."""

    def __len__(self):
        return 10

    def __getitem__(self, k):
        if not 0 <= k < 10:
            raise IndexError(k)
        return Tensor([k, k]), k * k


class Fetching(Squares):
    def __getitems__(self, rows):
        self.fetched = rows
        return [self[k] for k in rows]


@pytest.mark.parametrize("kind", [Squares, Fetching])
def test_a_dataset_by_number(kind):
    source = source_of(kind(), settings(shuffle=True))
    batches = list(source.batches(0))
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    x, y = (np.concatenate(column) for column in zip(*batches, strict=True))
    np.testing.assert_array_equal(x[:, 0] ** 2, y)
    assert sorted(x[:, 1]) == list(range(10))
    assert [b[1].tolist() for b in source.batches(0, 2)] == [batches[2][1].tolist()]
    assert source.n_rows == 10


def test_a_dataset_of_whole_arrays_is_not_walked():
    class TensorDataset(Squares):
        tensors = (Tensor(np.arange(10.0)), Tensor(np.arange(10)))

        def __getitem__(self, k):
            raise AssertionError

    assert rows_of(source_of(TensorDataset(), settings())) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_an_iterable_dataset_yields_examples():
    base = types.new_class("IterableDataset")
    base.__module__ = "torch.utils.data.dataset"

    class Counting(base):
        def __iter__(self):
            return iter([(Tensor([k]), 2 * k) for k in range(5)])

    batches = list(source_of(Counting(), settings()).batches(0))
    assert [(x[:, 0].tolist(), y.tolist()) for x, y in batches] == [([0, 1, 2, 3], [0, 2, 4, 6]), ([4], [8])]


class Loader:
    """Batches of a dataset, in an order of its own generator, as `torch.utils.data.DataLoader`."""

    class Generator:
        def manual_seed(self, seed):
            self.rng = np.random.default_rng(seed)

    def __init__(self):
        self.dataset, self.batch_size, self.generator = Squares(), 5, self.Generator()

    def __len__(self):
        return 2

    def __iter__(self):
        for rows in self.generator.rng.permutation(10).reshape(2, 5):
            yield [Tensor(rows.astype(float)), Tensor(rows**2)]


def test_a_loader_is_seeded_for_each_epoch():
    source = source_of(Loader(), settings(dtype=np.dtype(np.float32)))
    assert rows_of(source, 1) == rows_of(source_of(Loader(), settings()), 1)
    assert rows_of(source, 1) != rows_of(source, 2)
    ((x, y), *_) = source.batches(0)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x**2, y)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    n = 1000
    columns = {"a": rng.normal(size=n), "b": rng.normal(size=n), "k": np.arange(n)}
    columns["y"] = 2 * columns["a"] - columns["b"]
    whole = pa.table(columns)
    pa.parquet.write_table(whole, tmp_path / "t.parquet", row_group_size=64)
    pa.csv.write_csv(whole, tmp_path / "t.csv")
    return tmp_path, columns


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_tables_are_walked_whole_and_the_same_way_each_time(files, name, shuffle):
    folder, columns = files
    source = source_of(learn.table(folder / name, pool=100), settings(64, shuffle=shuffle))
    batches = [batch[0] for batch in source.batches(0)]
    drawn = np.concatenate([batch["k"] for batch in batches])
    assert {len(b["k"]) for b in batches[:-1]} == {64}
    assert sorted(drawn) == list(range(1000))
    np.testing.assert_array_equal(np.concatenate([b["a"] for b in batches]), columns["a"][drawn])
    again = np.concatenate([batch[0]["k"] for batch in source.batches(0)])
    other = np.concatenate([batch[0]["k"] for batch in source.batches(1)])
    assert (drawn == again).all()
    assert (drawn == other).all() is np.bool_(not shuffle)
    assert (drawn == np.arange(1000)).all() is np.bool_(not shuffle)
    rest = [batch[0]["k"].tolist() for batch in source.batches(0, 5)]
    assert rest == [b["k"].tolist() for b in batches[5:]]


def test_tables_give_inputs_and_target(files):
    folder, columns = files
    (x, y), *_ = source_of(learn.table(folder / "t.parquet", ["b", "a"], "y"), settings(10)).batches(0)
    np.testing.assert_array_equal(x, np.stack([columns["b"], columns["a"]], 1)[:10])
    np.testing.assert_array_equal(y, columns["y"][:10])
    (x,), *_ = source_of(learn.table([folder / "t.parquet", folder / "t.csv"], ["a"]), settings(None)).batches(0)
    assert x.shape == (2000, 1)
    (x, y), *_ = source_of(learn.table(folder / "t.csv", target="y"), settings(10)).batches(0)
    assert x.shape == (10, 3)


def test_fit_reads_a_table(files):
    folder, _ = files
    result = wg.fit(
        {"w": np.zeros(2)}, lambda m, x, y: np.mean((x @ m["w"] - y) ** 2), learn.table(folder / "t.parquet", ["a", "b"], "y"),
        optim.SGD(0.1), epochs=20,
    )  # fmt: skip
    np.testing.assert_allclose(result.model["w"], [2, -1], atol=1e-6)
    by_name = wg.fit(
        {"w": np.zeros(2)}, lambda m, row: np.mean((m["w"][0] * row["a"] + m["w"][1] * row["b"] - row["y"]) ** 2),
        str(folder / "t.csv"), optim.SGD(0.1), epochs=20,
    )  # fmt: skip
    np.testing.assert_allclose(by_name.model["w"], [2, -1], atol=1e-6)


def test_an_endless_stream_has_epochs_of_so_many_steps():
    def endless():
        while True:
            yield np.ones(3)

    result = wg.fit(
        {"m": 0.0}, lambda m, x: np.mean((m["m"] - x) ** 2), endless(), optim.SGD(0.1), epochs=3, epoch_steps=5, validation=[np.ones(3)]
    )
    assert result.history["step"] == [5, 10, 15]
    assert result.history["val_loss"][-1] == pytest.approx(0.8**30)
