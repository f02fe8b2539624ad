"""The launcher: what it takes, what it returns, and that it counts; the builtin and its plain twin side by side."""

import ctypes
import gc
import itertools
import os
import re
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from wengert.compiler.engine import Module, define_symbol
from wengert.compiler.runtime import launcher as launching
from wengert.compiler.runtime import library as runtime
from wengert.compiler.runtime import python
from wengert.compiler.runtime.launcher import Input, Launch, Output, PlainLauncher, builtin, conform, launcher, probe
from wengert.compiler.runtime.library import SLOTS, library, most_idle
from wengert.core.types import ArrayType
from wengert.errors import CompileError

KINDS = {"builtin": builtin, "plain": PlainLauncher}


@pytest.fixture(params=KINDS, ids=list(KINDS))
def make(request):
    return KINDS[request.param]


def array(shape, dtype="float64"):
    return ArrayType(shape, np.dtype(dtype))


def copies(sizes, status=0, workspace=0):
    """A program that copies so many bytes from input k to output k."""
    lines = ["define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) {"]
    for k, n in enumerate(sizes):
        lines += [
            f"  %i{k} = getelementptr ptr, ptr %inputs, i64 {k}", f"  %x{k} = load ptr, ptr %i{k}",
            f"  %o{k} = getelementptr ptr, ptr %outputs, i64 {k}", f"  %y{k} = load ptr, ptr %o{k}",
            f"  call void @llvm.memcpy.p0.p0.i64(ptr %y{k}, ptr %x{k}, i64 {n}, i1 false)",
        ]  # fmt: skip
    if workspace:
        lines.append(f"  call void @llvm.memset.p0.i64(ptr %workspace, i8 7, i64 {workspace}, i1 false)")
    lines += [f"  ret i32 {status}", "}", "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"]
    return Module("\n".join([*lines, "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"]))


def identity(make, inputs, kinds=None, *, status=0, workspace=0, **options):
    """A launcher of a program that returns its inputs."""
    outputs = [Output(spec.type, kind) for spec, kind in zip(inputs, kinds or ["array"] * len(inputs), strict=True)]
    module = copies([output.n_bytes for output in outputs], status, workspace)
    return make(Launch(module.address("entry"), inputs, outputs, workspace, keep=module, **options))


# --- what it takes and returns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64", "int64", "int32", "int8", "uint16", "bool"])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (4, 1, 3), (0,), (3, 0)])
def test_arrays_of_every_dtype(make, dtype, shape):
    launch = identity(make, [Input(array(shape, dtype))])
    x = (np.arange(np.prod(shape, dtype=int)) % 2 + 1).astype(dtype).reshape(shape)
    (y,) = launch(x)
    assert type(y) is np.ndarray
    assert (y.shape, y.dtype, y.flags.c_contiguous, y.flags.writeable, y.flags.owndata) == (shape, x.dtype, True, True, True)
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64", "int64", "int16", "uint8", "bool"])
def test_numbers_of_every_dtype(make, dtype):
    kind = np.dtype(dtype).type
    launch = identity(make, [Input(array((), dtype), "number", kind)], ["scalar"], is_single=True)
    y = launch(kind(1))
    assert type(y) is kind
    assert y == 1
    assert launch(np.ones((), dtype)) is None
    assert launch(1) is None


@pytest.mark.parametrize("kind", [float, complex])
def test_numbers_of_python(make, kind):
    launch = identity(make, [Input(array((), kind), "number", kind)], ["number"], is_single=True)
    y = launch(kind(2.5))
    assert type(y) is kind
    assert y == 2.5
    assert launch(np.float64(2.5)) is None


def test_objects_are_compared_by_identity(make):
    marker = object()
    launch = identity(make, [Input(array((2,))), Input(None, "object", marker)][:1])
    module = copies([16])
    launch = make(Launch(module.address("entry"), [Input(array((2,))), Input(None, "object", marker)], [Output(array((2,)))], keep=module))
    x = np.ones(2)
    assert launch(x, marker) is not None
    assert launch(x, object()) is None
    assert launch(x, x) is None


class Subclass(np.ndarray):
    pass


X = np.arange(6.0).reshape(2, 3)
UNALIGNED = np.frombuffer(bytearray(49), np.uint8)[1:].view(np.float64).reshape(2, 3)
MISFITS = {
    "no arguments": (),
    "too many": (X, X),
    "dtype": (X.astype("float32"),),
    "byte order": (X.astype(">f8"),),
    "shape": (X.T.copy(),),
    "dimensions": (X.ravel(),),
    "more dimensions": (X[None],),
    "strides": (np.zeros((2, 6))[:, ::2],),
    "order": (np.asfortranarray(X),),
    "negative strides": (X[::-1],),
    "unaligned": (UNALIGNED,),
    "subclass": (X.view(Subclass),),
    "masked": (np.ma.masked_array(X),),
    "list": (X.tolist(),),
    "none": (None,),
    "number": (2.0,),
    "scalar": (np.float64(2.0),),
    "class": (np.ndarray,),
}


@pytest.mark.parametrize("arguments", MISFITS.values(), ids=MISFITS)
def test_arguments_of_another_signature_are_left_alone(make, arguments):
    launch = identity(make, [Input(array((2, 3)))])
    before = [sys.getrefcount(x) for x in arguments]
    for _ in range(1000):
        assert launch(*arguments) is None
    assert all(abs(sys.getrefcount(x) - n) < 50 for x, n in zip(arguments, before, strict=True))


def test_keywords_are_refused(make):
    with pytest.raises(TypeError):
        identity(make, [Input(array((2, 3)))])(x=X)


def test_read_only_arrays_are_inputs(make):
    x = X.copy()
    x.flags.writeable = False
    (y,) = identity(make, [Input(array((2, 3)))])(x)
    assert y.flags.writeable


@pytest.mark.parametrize("value", [X.T, X.astype("float32").T, X.astype(">f8"), X.T.tolist(), UNALIGNED.T, X.T.view(Subclass), np.ma.masked_array(X.T)])
def test_conform(make, value):
    spec = [Input(array((2, 3)))]
    value = np.transpose(value) if np.shape(value) == (3, 2) else value
    (y,) = identity(make, spec)(*conform(spec, [value]))
    np.testing.assert_array_equal(y, np.asarray(value, float))


def test_conform_of_numbers():
    assert conform([Input(array(()), "number", float), Input(array(()))], [np.float64(2.5), 2.5]) == [2.5, np.asarray(2.5)]
    x = np.asfortranarray(X)
    (found,) = conform([Input(array((2, 3)))], [x])
    assert found is not x
    (found,) = conform([Input(array((2, 3)))], [X])
    assert found is X


def test_many_arguments_and_results(make):
    shapes = [(k % 5, k % 3 + 1) for k in range(100)]
    launch = identity(make, [Input(array(shape)) for shape in shapes])
    xs = [np.full(shape, k, float) for k, shape in enumerate(shapes)]
    ys = launch(*xs)
    assert type(ys) is tuple
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_array_equal(x, y)


def test_no_arguments_no_results(make):
    assert identity(make, [])() == ()


# --- guards and failures -------------------------------------------------------------------------------------------


def test_guards(make):
    specs = [Input(array((3,))), *[Input(array((), "bool"), "number", np.bool_)] * 3]
    launch = identity(make, specs, ["array", "guard", "guard", "guard"], is_single=True)
    x = np.arange(3.0)
    for holds in itertools.product([False, True], repeat=3):
        answer = launch(x, *map(np.bool_, holds))
        if all(holds):
            np.testing.assert_array_equal(answer, x)
        else:
            assert type(answer) is int
            assert answer == holds.index(False)


def test_guards_have_to_stand_at_the_end():
    with pytest.raises(AssertionError, match="guards"):
        launcher(Launch(1, [], [Output(array((), "bool"), "guard"), Output(array(()))]))


def test_a_program_that_stops_is_explained(make):
    def explain(status):
        raise ZeroDivisionError(status)

    launch = identity(make, [Input(array((2, 3)))], status=3, on_error=explain)
    gc.collect()
    for _ in range(5):
        with pytest.raises(ZeroDivisionError, match="3"):
            launch(X)


def test_a_program_that_stops_without_explanation(make):
    with pytest.raises(RuntimeError, match="wave stopped with status 5"):
        identity(make, [Input(array((2, 3)))], status=5, name="wave")(X)


def test_without_memory(make):
    with pytest.raises(MemoryError):
        identity(make, [Input(array((2, 3)))], status=-1)(X)
    huge = Output(array((2**55,)))
    module = copies([])
    for _ in range(3):
        with pytest.raises(MemoryError):
            make(Launch(module.address("entry"), [], [Output(array((2,))), huge], keep=module))()
    with pytest.raises(MemoryError):
        make(Launch(module.address("entry"), [], [], 2**58, keep=module))()


# --- counting ------------------------------------------------------------------------------------------------------


def test_references_are_counted_on_every_path(make):
    dtype, name = np.dtype("float64"), np.float64
    marker = object()
    specs = [Input(array((2, 3))), Input(array((), "float64"), "number", float)]
    good = identity(make, specs, ["array", "scalar"])
    guarded = identity(make, [specs[0], Input(array((), "bool"), "number", np.bool_)], ["array", "guard"])
    broken = identity(make, specs[:1], status=3, on_error=lambda status: marker)
    x, number, no, yes = X.copy(), 1234.5, np.bool_(False), np.bool_(True)
    watched = (x, number, no, yes, dtype, name, None, True, marker, (), np.ndarray)

    def every_path():
        good(x, number)
        good(x, None)
        good(x)
        guarded(x, no)
        guarded(x, yes)
        broken(x)

    every_path()
    gc.collect()
    before = [sys.getrefcount(thing) for thing in watched]
    for _ in range(1000):
        every_path()
    after = [sys.getrefcount(thing) for thing in watched]
    assert all(abs(b - a) < 300 for a, b in zip(before, after, strict=True)), (before, after)  # one a call would be 1,000


def test_results_have_one_owner(make):
    launch = identity(make, [Input(array((2, 3))), Input(array((20_000,)))], ["array", "array"])
    small, large = launch(X, np.zeros(20_000))
    mine = np.empty(1)
    assert sys.getrefcount(small) == sys.getrefcount(large) == sys.getrefcount(mine)
    assert small.base is None
    assert large.base is None


def test_nothing_is_left_of_many_calls(make):
    launch = identity(make, [Input(array((2, 3))), Input(array((20_000,)))], ["array", "array"], workspace=50_000)
    large = np.zeros(20_000)

    def calls(n):
        for _ in range(n):
            launch(X, large)
            launch(large, X)

    calls(100)
    gc.collect()
    tracemalloc.start()
    try:
        calls(10)
        before = tracemalloc.get_traced_memory()[0]
        calls(2000)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
        assert left < 40_000  # a leak of the smallest object at each of the 4,000 calls would be 64,000 bytes
    finally:
        tracemalloc.stop()


def test_the_launcher_keeps_what_it_needs():
    module = copies([48])
    kept = [module]
    launch = builtin(Launch(module.address("entry"), [Input(array((2, 3)))], [Output(array((2, 3)))], keep=kept))
    del module, kept
    gc.collect()
    garbage = [copies([8 * k]) for k in range(1, 5)]
    np.testing.assert_array_equal(launch(X)[0], X)
    assert garbage


def test_the_launcher_lets_go():
    class Kept:
        pass

    kept = Kept()
    gone = threading.Event()
    import weakref

    weakref.finalize(kept, gone.set)
    module = copies([48])
    launch = builtin(Launch(module.address("entry"), [Input(array((2, 3)))], [Output(array((2, 3)))], keep=[module, kept]))
    del kept
    gc.collect()
    assert not gone.is_set()
    del launch
    gc.collect()
    assert gone.is_set()


# --- the pool ------------------------------------------------------------------------------------------------------


def pooled(n=100_000):
    module = copies([8 * n])
    return builtin(Launch(module.address("entry"), [Input(array((n,)))], [Output(array((n,)))], is_single=True, keep=module))


def address(x):
    return x.__array_interface__["data"][0]


def test_large_results_are_used_again_once_they_are_free():
    launch, x = pooled(), np.arange(100_000.0)
    first = launch(x)
    place = address(first)
    assert place % 64 == 0
    second = launch(x)
    assert address(second) != place
    del first
    assert place in {address(y) for y in [launch(x) for _ in range(3)]}


def test_views_keep_the_memory():
    launch, x = pooled(), np.arange(100_000.0)
    view = launch(x)[10:20]
    others = [launch(x * 0) for _ in range(20)]
    np.testing.assert_array_equal(view, np.arange(10.0, 20.0))
    assert not any(np.shares_memory(view, other) for other in others)


def test_results_behave_as_arrays_do():
    launch, x = pooled(), np.arange(100_000.0)
    y = launch(x)
    y.resize(50, refcheck=False)
    np.testing.assert_array_equal(y, x[:50])
    y.resize(200_000, refcheck=False)
    np.testing.assert_array_equal(y[:50], x[:50])
    assert not y[50:].any()
    y = launch(x)
    y = y.reshape(100, 1000)
    y[3] = 7
    assert y[3].sum() == 7000
    import pickle

    np.testing.assert_array_equal(pickle.loads(pickle.dumps(y)), y)
    assert memoryview(y).nbytes == y.nbytes


def test_idle_memory_is_a_small_part_of_the_machine(tmp_path, monkeypatch):
    assert 2**28 <= most_idle() <= 2**31
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("wengert.compiler.runtime.library.LIMITS", (str(limit), str(tmp_path / "none")))
    for text in ("max\n", f"{2**60}\n"):
        limit.write_text(text)
        assert most_idle() == min(max(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 16, 2**28), 2**31)
    limit.write_text(f"{2**30}\n")
    assert most_idle() == 2**28


def test_idle_memory_is_bounded():
    runtime = library()
    limit = runtime.word("wg_pool_limit")
    clear = ctypes.CFUNCTYPE(None)(runtime.module.address("wg_pool_clear"))
    clear()
    assert runtime.word("wg_pool_idle") == 0
    launch, x = pooled(), np.zeros(100_000)
    try:
        runtime.set_word("wg_pool_limit", 2_000_000)
        kept = [launch(x) for _ in range(10)]
        del kept
        assert 0 < runtime.word("wg_pool_idle") <= 2_000_000
    finally:
        runtime.set_word("wg_pool_limit", limit)
    results = [launch(x) for _ in range(100)]
    del results
    assert runtime.word("wg_pool_idle") <= SLOTS * 802_816
    clear()
    results = [launch(x) for _ in range(50)]  # the arrays of a model: all of them are there for its next step
    del results
    assert runtime.word("wg_pool_idle") >= 50 * x.nbytes
    clear()
    assert runtime.word("wg_pool_idle") == 0


def test_blocks_have_one_owner_among_threads():
    take = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)(library().module.address("wg_take"))
    give = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library().module.address("wg_give"))
    wrong = []

    def work(number):
        rng = np.random.default_rng(number)
        for _ in range(1500):
            blocks = [take(int(n)) for n in rng.integers(1, 40_000, 6)]
            for k, block in enumerate(blocks):
                ctypes.c_int64.from_address(block).value = number * 100 + k
            wrong.extend(k for k, block in enumerate(blocks) if ctypes.c_int64.from_address(block).value != number * 100 + k)
            for block in blocks:
                give(block)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- threads -------------------------------------------------------------------------------------------------------


def test_many_threads_through_one_launcher(make):
    n = 30_000
    launch = identity(make, [Input(array((n,))), Input(array((4,)))], workspace=100_000)
    wrong = []

    def work(number):
        x, y = np.full(n, float(number)), np.full(4, -float(number))
        for _ in range(200):
            a, b = launch(x, y)
            if not (a == number).all() or not (b == -number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_gil_is_released_in_long_programs(make):
    other_ran = threading.Event()
    libc = ctypes.CDLL(None)

    module = Module("""
        declare i32 @usleep(i32)
        define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) {
          %r = call i32 @usleep(i32 300000)
          ret i32 0
        }""")
    assert libc.usleep
    ticks = []

    def other():
        while not other_ran.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.01)

    for seconds, least, most in ((1.0, 8, 1000), (0.0, 0, 3)):
        launch = make(Launch(module.address("entry"), [], [], seconds=seconds, keep=module))
        other_ran.clear()
        ticks.clear()
        thread = threading.Thread(target=other)
        thread.start()
        start = time.perf_counter()
        launch()
        end = time.perf_counter()
        other_ran.set()
        thread.join()
        assert least <= sum(start + 0.01 < tick < end - 0.01 for tick in ticks) <= most


def test_a_launcher_inside_itself(make):
    calls = []
    callback = ctypes.CFUNCTYPE(None)(lambda: calls.append(len(calls)) if len(calls) >= 3 else (calls.append(len(calls)), launch(X)))
    define_symbol("launcher_test_again", ctypes.cast(callback, ctypes.c_void_p).value)
    module = Module("""
        declare void @launcher_test_again()
        define i32 @entry(ptr %inputs, ptr %outputs, ptr %workspace) {
          store i64 1, ptr %workspace
          call void @launcher_test_again()
          %kept = load i64, ptr %workspace
          %status = trunc i64 %kept to i32
          %zero = sub i32 %status, 1
          ret i32 %zero
        }""")
    launch = make(Launch(module.address("entry"), [Input(array((2, 3)))], [], 64, keep=module))
    assert launch(X) == ()
    assert calls == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_goes_on():
    launch, x = pooled(), np.arange(100_000.0)
    y = launch(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if (launch(x) == x).all() and (y == x).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


# --- this Python and this NumPy ------------------------------------------------------------------------------------


def test_the_probe_passes_here():
    assert python.is_array_as_expected()
    assert python.is_number_as_expected()
    assert python.is_list_as_expected()
    assert probe()
    assert type(launcher(Launch(copies([]).address("entry"), [], []))) is type(len)


def test_another_layout_means_the_plain_way(monkeypatch):
    monkeypatch.setattr(launching, "_POSSIBLE", [])
    monkeypatch.setitem(python.ARRAY_FIELDS, "descr", 48)
    assert not launching.is_builtin_possible()
    module = copies([48])
    launch = launcher(Launch(module.address("entry"), [Input(array((2, 3)))], [Output(array((2, 3)))], keep=module))
    assert isinstance(launch, PlainLauncher)
    np.testing.assert_array_equal(launch(X)[0], X)


def test_numpys_own_header_has_the_same_places():
    header = os.path.join(np.get_include(), "numpy", "__multiarray_api.h")
    with open(header, encoding="utf-8") as file:
        text = file.read()
    for name, place in python.NUMPY_API.items():
        (found,) = re.findall(rf"#define {name} \\\s*\(\*\([^;]*?PyArray_API\[(\d+)\]\)", text)
        assert int(found) == place, name


def test_without_the_global_lock_there_is_the_plain_way(monkeypatch):
    monkeypatch.setattr(python.sys, "abiflags", "t")
    assert not python.is_array_as_expected()


def test_a_system_without_these_functions_is_told(monkeypatch):
    """LLVM ends the process where a function is missing, so it is asked before."""
    text = "\n".join(map(runtime.source, runtime.PARTS))
    assert {"pthread_create", "posix_memalign", "madvise", "sched_yield", "sigfillset", "free"} <= set(runtime.OF_SYSTEM.findall(text))
    monkeypatch.setattr(runtime, "has_symbol", lambda name: not name.startswith("pthread"))
    with pytest.raises(CompileError, match="does not run on .* yet(?s:.*)pthread_create"):
        runtime.Library()
