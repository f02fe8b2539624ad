"""Regions of work: every index once, the same bits for any number of threads, forks, many callers, sleeping workers."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from wengert.compiler.engine import Module
from wengert.compiler.runtime.library import default_threads, library
from wengert.compiler.runtime.threads import get_threads, set_threads
from wengert.errors import ArgumentError

BLOCK = 64  # terms of a partial sum

# `increment` adds 1 to p[i]; `sums` adds up blocks of numbers into partial sums, which `total` puts together in order.
TEXT = f"""
declare void @wg_parallel(ptr, ptr, i64, i64)
declare i64 @llvm.smin.i64(i64, i64)

define void @increment(ptr %p, i64 %begin, i64 %end) {{
entry:
  br label %next
next:
  %i = phi i64 [ %begin, %entry ], [ %i.next, %next ]
  %at = getelementptr double, ptr %p, i64 %i
  %x = load double, ptr %at
  %y = fadd double %x, 1.0
  store double %y, ptr %at
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %end
  br i1 %more, label %next, label %done
done:
  ret void
}}

define void @sums(ptr %context, i64 %begin, i64 %end) {{
entry:
  %x.at = getelementptr ptr, ptr %context, i64 0
  %x = load ptr, ptr %x.at
  %partial.at = getelementptr ptr, ptr %context, i64 1
  %partial = load ptr, ptr %partial.at
  br label %block
block:
  %b = phi i64 [ %begin, %entry ], [ %b.next, %stored ]
  %first = mul i64 %b, {BLOCK}
  br label %term
term:
  %k = phi i64 [ 0, %block ], [ %k.next, %term ]
  %sum = phi double [ 0.0, %block ], [ %sum.next, %term ]
  %i = add i64 %first, %k
  %at = getelementptr double, ptr %x, i64 %i
  %value = load double, ptr %at
  %sum.next = fadd reassoc double %sum, %value
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k.next, {BLOCK}
  br i1 %more, label %term, label %stored
stored:
  %out = getelementptr double, ptr %partial, i64 %b
  store double %sum.next, ptr %out
  %b.next = add i64 %b, 1
  %more.blocks = icmp slt i64 %b.next, %end
  br i1 %more.blocks, label %block, label %done
done:
  ret void
}}

define void @run(ptr %body, ptr %context, i64 %n, i64 %grain) {{
  call void @wg_parallel(ptr %body, ptr %context, i64 %n, i64 %grain)
  ret void
}}

; A region inside a region.
define void @nested(ptr %context, i64 %begin, i64 %end) {{
  %p = load ptr, ptr %context
  %first = mul i64 %begin, 100
  %start = getelementptr double, ptr %p, i64 %first
  %count = sub i64 %end, %begin
  %n = mul i64 %count, 100
  call void @wg_parallel(ptr @increment, ptr %start, i64 %n, i64 1)
  ret void
}}
"""


@pytest.fixture(scope="module")
def module():
    library()
    return Module(TEXT)


@pytest.fixture(autouse=True)
def threads():
    before = get_threads()
    yield
    set_threads(before)


def region(module, body, context, n, grain=1):
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(module.address("run"))
    address = body if isinstance(body, int) else module.address(body)
    run(address, context, n, grain)


def incremented(module, n, grain=1, times=1):
    x = np.zeros(n + 8)
    for _ in range(times):
        region(module, "increment", x.ctypes.data, n, grain)
    assert not x[n:].any()
    return x[:n]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000, 4097])
@pytest.mark.parametrize("grain", [1, 5, 64, 5000])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_index_once(module, n, grain, count):
    set_threads(count)
    np.testing.assert_array_equal(incremented(module, n, grain, times=20), 20)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_ranges_begin_at_multiples_of_the_grain(module, count):
    set_threads(count)
    ranges, lock = [], threading.Lock()

    def note(context, begin, end):
        with lock:
            ranges.append((begin, end))

    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(note)
    for n, grain in ((1000, 16), (1001, 16), (10, 16), (16, 16), (17, 16)):
        ranges.clear()
        region(module, ctypes.cast(body, ctypes.c_void_p).value, None, n, grain)
        assert all(begin % grain == 0 and (end % grain == 0 or end == n) for begin, end in ranges)
        assert sorted(i for begin, end in ranges for i in range(begin, end)) == list(range(n))


def test_several_threads_take_part(module):
    set_threads(4)
    seen = set()

    def note(context, begin, end):
        seen.add(threading.get_native_id())
        time.sleep(0.002)

    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(note)
    region(module, ctypes.cast(body, ctypes.c_void_p).value, None, 64)
    assert len(seen) == 4
    assert library().word("wg_started") >= 3
    set_threads(2)
    for _ in range(3):
        seen.clear()
        region(module, ctypes.cast(body, ctypes.c_void_p).value, None, 16)
        assert len(seen) <= 2


def block_sums(module, x):
    partial = np.empty(len(x) // BLOCK)
    context = (ctypes.c_void_p * 2)(x.ctypes.data, partial.ctypes.data)
    region(module, "sums", ctypes.addressof(context), len(partial), 1)
    return partial


def test_sums_have_the_same_bits_for_any_number_of_threads(module):
    x = np.random.default_rng(0).normal(size=BLOCK * 501) * 1e3
    found = []
    for count in (1, 2, 3, 4, 7):
        set_threads(count)
        found += [block_sums(module, x).tobytes() for _ in range(10)]
    assert len(set(found)) == 1


def test_workers_that_sleep_wake_up(module):
    set_threads(3)
    for pause in (0.0, 0.001, 0.05, 0.2):
        time.sleep(pause)
        np.testing.assert_array_equal(incremented(module, 5000), 1)


def test_many_callers_at_once(module):
    set_threads(3)
    wrong = []

    def work():
        if not (incremented(module, 3000, 16, times=200) == 200).all():
            wrong.append(threading.get_ident())

    callers = [threading.Thread(target=work) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


def test_regions_inside_regions(module):
    set_threads(3)
    for _ in range(50):
        x = np.zeros(1600)
        pointer = ctypes.c_void_p(x.ctypes.data)
        region(module, "nested", ctypes.addressof(pointer), 16)
        np.testing.assert_array_equal(x, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_children_start_workers_of_their_own(module):
    set_threads(3)
    incremented(module, 5000)
    assert library().word("wg_started") >= 2
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            incremented(module, 2000, 16)

    callers = [threading.Thread(target=busy) for _ in range(3)]  # so that forks fall into the middle of regions
    for caller in callers:
        caller.start()
    try:
        statuses = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                fresh = library().word("wg_started") == 0
                right = (incremented(module, 5000, 16, times=20) == 20).all()
                os._exit(0 if fresh and right and library().word("wg_started") == 2 else 1)
            statuses.append(os.waitpid(child, 0)[1])
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert statuses == [0] * 10


def test_signals_are_left_to_python(module):
    set_threads(3)
    arrived = []
    former = signal.signal(signal.SIGUSR1, lambda *_: arrived.append(threading.current_thread() is threading.main_thread()))
    try:
        for _ in range(20):
            incremented(module, 5000)
            os.kill(os.getpid(), signal.SIGUSR1)
            incremented(module, 5000)
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert arrived
    assert all(arrived)


def test_the_number_of_threads():
    set_threads(3)
    assert get_threads() == 3
    set_threads()
    assert get_threads() == default_threads() >= 1


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", True, 2.0])
def test_numbers_of_threads_that_cannot_be_meant(wrong):
    with pytest.raises(ArgumentError, match="set_threads was given"):
        set_threads(wrong)


MOVED = """
import os, numpy as np, wengert as wg
cpus = sorted(os.sched_getaffinity(0))
x = np.linspace(-1, 1, 400_000)
f = wg.jit(lambda x: (np.tanh(x) * np.exp(-x), np.sum(np.sin(x))))
wg.set_threads(1)
want = [y.tobytes() for y in f(x)]
found = []
for threads, places in [(2, cpus), (2, cpus[:1]), (3, cpus[-1:]), (2, cpus), (5, cpus)]:
    os.sched_setaffinity(0, places)
    wg.set_threads(threads)
    found += [[y.tobytes() for y in f(x)] for _ in range(30)]
    assert os.sched_getaffinity(0) == set(places)  # the caller stays where it may be
print(all(bits == want for bits in found))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not say where a thread runs")
def test_wherever_threads_may_run():
    """Workers keep off the caller's processor, as far as there is another one; where they run changes no bit."""
    found = subprocess.run([sys.executable, "-c", MOVED], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout == "True\n"
