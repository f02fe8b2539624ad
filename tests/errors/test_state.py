"""An exception leaves nothing behind, and the user's own exceptions pass through as they are."""

import asyncio
import copy
import gc
import threading
import traceback
import weakref

import numpy as np
import pytest

import wengert as wg
from wengert.errors import LeakError, RuleError
from wengert.transforms.custom import checking


class Trouble(Exception):
    pass


def fails(x):
    y = np.sin(x) * 2
    raise Trouble(y)


TRANSFORMATIONS = {
    "grad": lambda f: wg.grad(f)(1.0),
    "jvp": lambda f: wg.jvp(f, (1.0,), (1.0,)),
    "vjp": lambda f: wg.vjp(f, 1.0),
    "linearize": lambda f: wg.linearize(f, 1.0),
    "jacobian": lambda f: wg.jacobian(f)(1.0),
    "hessian": lambda f: wg.hessian(f)(1.0),
    "vmap": lambda f: wg.vmap(f)(np.ones(2)),
    "checkpoint": lambda f: wg.grad(wg.checkpoint(f))(1.0),
    "trace": lambda f: wg.trace(f)(1.0),
    "grad of vmap": lambda f: wg.grad(lambda x: np.sum(wg.vmap(f)(x)))(np.ones(2)),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_users_exception_passes_through(name):
    """The same object, with the user's line last in its traceback, and no other exception around it."""
    with pytest.raises(Trouble) as caught:
        TRANSFORMATIONS[name](fails)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.name == "fails"
    assert last.line == "raise Trouble(y)"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_later_calls_are_right(name):
    with pytest.raises(Trouble):
        TRANSFORMATIONS[name](fails)
    assert wg.grad(np.sin)(0.0) == 1.0
    np.testing.assert_array_equal(wg.vmap(wg.grad(lambda x: x**2))(np.array([1.0, 3.0])), [2.0, 6.0])


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_value_that_got_out_of_a_failed_call_is_closed(name):
    with pytest.raises(Trouble) as caught:
        TRANSFORMATIONS[name](fails)
    with pytest.raises(LeakError):
        caught.value.args[0] * 2


def test_an_inner_failure_leaves_the_outer_call_right():
    def outer(x):
        try:
            wg.grad(fails)(x)
        except Trouble:
            pass
        return x**3

    assert wg.grad(outer)(2.0) == 12.0
    assert wg.grad(wg.grad(outer))(2.0) == 12.0
    assert wg.jvp(outer, (2.0,), (1.0,))[1] == 12.0


def test_a_caught_message_leaves_the_call_right():
    def f(x):
        try:
            return float(x)
        except TypeError:
            return x * x

    assert wg.grad(f)(3.0) == 6.0


def test_checks_are_off_again_after_a_failure():
    with pytest.raises(Trouble), wg.check_rules():
        assert checking.get()
        fails(1.0)
    assert not checking.get()
    rule = wg.custom_rule(lambda x: x**2, forward=lambda xs, dxs: (xs[0] ** 2, dxs[0]))
    for _ in range(2):
        with pytest.raises(RuleError), wg.check_rules():
            rule(3.0)
    assert not checking.get()
    assert wg.grad(rule)(3.0) == 1.0


def test_threads_do_not_meet():
    """Twenty threads, half of which fail, differentiate the same function at once."""
    start, results = threading.Barrier(20), [None] * 20

    def work(k):
        start.wait()
        try:
            if k % 2:
                wg.grad(fails)(float(k))
            results[k] = wg.grad(wg.grad(lambda x: x**3))(float(k))
        except Trouble:
            results[k] = wg.hessian(lambda x: x**3)(float(k))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(results, 6.0 * np.arange(20.0))


def test_tasks_do_not_see_the_checks_of_others():
    async def checks():
        with wg.check_rules():
            await asyncio.sleep(0.01)
            return checking.get()

    async def plain():
        await asyncio.sleep(0.005)
        return checking.get()

    async def both():
        return await asyncio.gather(checks(), plain())

    assert asyncio.run(both()) == [True, False]


def test_nothing_of_a_failed_call_stays_alive():
    class Holder:
        pass

    held = []

    def f(x):
        holder = Holder()
        held.append(weakref.ref(holder))
        raise Trouble

    with pytest.raises(Trouble) as caught:
        wg.grad(f)(1.0)
    del caught
    gc.collect()
    assert held[0]() is None


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, ZeroDivisionError, StopIteration, KeyboardInterrupt])
def test_kinds_of_exceptions(error):
    def f(x):
        raise error("mine")

    with pytest.raises(error, match="mine") as caught:
        wg.grad(f)(1.0)
    assert type(caught.value) is error


def test_the_page_behind_an_error_of_numpy():
    """`table[0] = x` makes NumPy raise a ValueError of its own; the page comes out, with the user's line last."""

    def f(x):
        table = np.zeros(2)
        table[0] = x
        return np.sum(table)

    for call in (lambda: wg.grad(f)(1.0), lambda: wg.jvp(f, (1.0,), (1.0,)), lambda: wg.vmap(f)(np.ones(3)), lambda: wg.trace(f)(1.0)):
        with pytest.raises(wg.errors.AssignmentError) as caught:
            call()
        assert "table[0] = x" in "".join(traceback.format_exception(caught.value))


def test_copies_keep_the_derivative():
    assert wg.grad(lambda x: np.sum(copy.copy(x) ** 2))(np.ones(1)) == 2.0
    assert wg.grad(lambda x: np.sum(copy.deepcopy({"x": [x]})["x"][0] ** 2))(np.ones(1)) == 2.0


def test_conversions_that_lose_nothing():
    """What depends on nothing may become plain, and the rest of the derivative is as it should be."""
    assert wg.grad(lambda x: x * float(wg.stop_gradient(x)))(3.0) == 3.0
    assert wg.grad(lambda x: x * int(np.floor(x)))(3.5) == 3.0
    assert wg.grad(lambda x: x * [5.0, 7.0][int(wg.stop_gradient(x))])(1.5) == 7.0
    assert wg.grad(wg.grad(lambda x: x**2 * float(wg.stop_gradient(x))))(3.0) == 6.0
    assert wg.jvp(lambda x: x * complex(wg.stop_gradient(x)).real, (3.0,), (1.0,))[1] == 3.0
    np.testing.assert_array_equal(wg.grad(lambda x: np.sum(x * np.asarray(wg.stop_gradient(x))))(np.ones(2)), [1.0, 1.0])
    with pytest.raises(wg.errors.LostDerivativeError):  # constant for the inner call, and not for the outer one
        wg.grad(lambda x: wg.grad(lambda y: y * float(x))(1.0))(2.0)
    with pytest.raises(wg.errors.LostDerivativeError):  # a batch has many values
        wg.vmap(lambda x: float(wg.stop_gradient(x)))(np.ones(2))


def test_an_error_that_the_user_made_of_a_page_stays():
    def f(x):
        try:
            return float(x)
        except TypeError as error:
            raise ValueError("my own") from error

    with pytest.raises(ValueError, match="my own"):
        wg.grad(f)(1.0)
