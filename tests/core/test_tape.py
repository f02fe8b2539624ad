"""The record without an end: which nodes a walk visits, what it keeps, and what the places are of what hooks see."""

import numpy as np
import pytest

from wengert.core.array import Array
from wengert.core.record import walk_forward
from wengert.core.tape import Node, Part, Tape, is_recording
from wengert.core.walk import Walk, free, lineage, pull_to_inputs
from wengert.errors import BackwardError
from wengert.primitives.align import DIRECT


class Marked(Array):
    __slots__ = ()

    def __repr__(self):
        return f"Marked({self.value})"


DIRECT.add(Marked)
TAPE = Tape(Marked)


def back(y, *xs, ct=1.0, **settings):
    roots, wanted = [y.extra], [x.extra for x in xs]
    walk = Walk(roots, **settings)
    return walk.back(roots, [np.float64(ct)], wanted)


def test_the_walk_back_is_that_of_a_record():
    x, w = TAPE.input(np.array([1.0, 2.0])), TAPE.input(np.array([3.0, 5.0]))
    y = np.sum(np.sin(x * w) + x)
    (ct_x, ct_w) = back(y, x, w)
    a, b = x.value, w.value
    np.testing.assert_allclose(ct_x, np.cos(a * b) * b + 1, rtol=1e-15)
    np.testing.assert_allclose(ct_w, np.cos(a * b) * a, rtol=1e-15)


def test_the_list_can_be_walked_forwards():
    x = TAPE.input(np.array([1.0, 2.0]))
    y = np.exp(x) * 3.0
    walk = Walk([y.extra])
    record = walk.record()
    (dy,) = walk_forward(record, [Array(y.value, record, walk.place_of(y.extra))], [np.array([1.0, 0.0])])
    np.testing.assert_allclose(dy, [3 * np.e, 0.0])


def test_only_what_leads_to_the_roots_is_visited_inputs_first():
    x, w = TAPE.input(np.ones(2)), TAPE.input(np.ones(2))
    a = np.sin(x)
    b = a * w
    np.cos(a)  # nobody asks for it
    nodes = lineage([b.extra])
    assert set(nodes[:2]) == {x.extra, w.extra}
    assert nodes[2:] == [a.extra, b.extra]
    assert [node.number for node in nodes[2:]] == sorted(node.number for node in nodes[2:])


def test_what_does_not_come_from_the_wanted_is_left_out():
    x, w = TAPE.input(np.ones(2)), TAPE.input(np.ones(2))
    y = np.sum(np.exp(w) * x)
    walk = Walk([y.extra], [x.extra])
    names = [entry[0].name for entry in walk.entries if entry is not None]
    assert "exp" not in names
    np.testing.assert_allclose(walk.back([y.extra], [np.float64(1)], [x.extra])[0], [np.e, np.e])


def test_a_result_that_is_wanted_is_seen_on_the_way():
    x = TAPE.input(np.array([1.0, 2.0]))
    m = x * x
    y = np.sum(m * 3.0)
    found = back(y, m, x, wanted=[m.extra, x.extra], captured=[m.extra])
    np.testing.assert_array_equal(found[0], [3, 3])
    np.testing.assert_array_equal(found[1], [6, 12])


def test_hooks_see_and_replace():
    x = TAPE.input(np.array([1.0, 2.0]))
    m = x * x
    seen = []
    m.extra.hooks = {0: seen.append, 1: lambda ct: 10 * ct}
    x.extra.hooks = {0: lambda ct: ct + 1}
    (ct,) = back(np.sum(m), x)
    np.testing.assert_array_equal(seen, [[1, 1]])
    np.testing.assert_array_equal(ct, [21, 41])


def test_results_of_one_operation_are_parts():
    x = TAPE.input(np.array([[2.0, 1.0], [1.0, 3.0]]))
    values, vectors = np.linalg.eigh(x)
    assert isinstance(values.extra, Part)
    assert values.extra.owner[0] is vectors.extra.owner[0]
    (ct,) = back(np.sum(values), x)
    np.testing.assert_allclose(ct, np.eye(2), atol=1e-15)


def test_a_part_that_is_wanted_and_hooked():
    x = TAPE.input(np.array([[2.0, 1.0], [1.0, 3.0]]))
    values, _ = np.linalg.eigh(x)
    values.extra.hooks = {0: lambda ct: 2 * ct}
    y = np.sum(values * np.array([1.0, 2.0]))
    (ct,) = back(y, values, wanted=[values.extra], captured=[values.extra])
    np.testing.assert_array_equal(ct, [2, 4])


def test_freed_operations_say_so_and_linear_ones_can_be_walked_again():
    x = TAPE.input(np.array([1.0, 2.0]))
    linear, y = np.sum(x + x), np.sum(np.exp(x))
    for root in (linear, y):
        walk = Walk([root.extra])
        free(walk.nodes)
        walk.back([root.extra], [np.float64(1)], [x.extra])
    np.testing.assert_array_equal(back(linear, x)[0], [2, 2])
    with pytest.raises(BackwardError, match="second time"):
        back(y, x)


def test_a_recorded_walk_can_be_differentiated():
    x = TAPE.input(np.array([0.5, 2.0]))
    y = np.sum(np.sin(x) * x)
    (g,) = Walk([y.extra], tape=TAPE).back([y.extra], [TAPE.constant(np.float64(1), y)], [x.extra])
    (h,) = back(np.sum(g), x)
    v = x.value
    np.testing.assert_allclose(h, 2 * np.cos(v) - v * np.sin(v), rtol=1e-15)


def test_nothing_is_recorded_where_recording_is_off():
    x = TAPE.input(np.ones(2))
    token = is_recording.set(False)
    try:
        y = np.sin(x)
    finally:
        is_recording.reset(token)
    assert y.extra is None
    assert TAPE.is_constant(y)


def test_plain_arrays_are_kept_as_they_were():
    x, table, mask = TAPE.input(np.ones(2)), np.array([2.0, 3.0]), np.array([True, False])
    y = np.sum(np.where(mask, x * table, x))
    table[:] = 0
    mask[:] = False
    np.testing.assert_array_equal(back(y, x)[0], [2, 1])


def test_steps_have_the_slope_zero_and_truth_values_none():
    x = TAPE.input(np.array([1.5, 2.5]))
    (ct,) = back(np.sum(np.floor(x)), x)
    np.testing.assert_array_equal(ct, [0, 0])
    assert (x > 2).extra is None
    assert isinstance(np.floor(x).extra, Node)


# --- without ado ------------------------------------------------------------------------------------------------------


def to_inputs(y, ct=1.0, *, keep=True):
    inputs, cts = pull_to_inputs(y.extra, np.float64(ct), keep=keep)
    return dict(zip(inputs, cts, strict=True))


def test_nodes_walked_as_they_are_give_what_the_written_list_gives():
    x, w = TAPE.input(np.array([1.0, 2.0])), TAPE.input(np.array([[3.0, 5.0], [0.5, 0.1]]))
    s = np.sin(x * w)
    y = np.sum(s * s + x[0] * w[:, 1] + np.exp(s))  # what is read at two places adds up in place
    found = to_inputs(y)
    expected = back(y, x, w)
    for node, ct in zip((x.extra, w.extra), expected, strict=True):
        np.testing.assert_array_equal(found[node], ct)


def test_hooks_and_several_results_are_walked_by_the_written_list():
    x = TAPE.input(np.array([[2.0, 1.0], [1.0, 3.0]]))
    values, _ = np.linalg.eigh(x)
    doubled = x * 2.0
    doubled.extra.hooks = {0: lambda ct: 10 * ct}
    found = to_inputs(np.sum(values) + np.sum(doubled))
    np.testing.assert_allclose(found[x.extra], np.eye(2) + 20, atol=1e-12)


def test_hooks_of_inputs_see_the_whole_cotangent():
    x = TAPE.input(np.array([1.0, 2.0]))
    seen = []
    x.extra.hooks = {0: lambda ct: seen.append(ct) or -ct}
    found = to_inputs(np.sum(x * x + x))
    np.testing.assert_array_equal(seen, [[3, 5]])
    np.testing.assert_array_equal(found[x.extra], [-3, -5])


def test_an_input_is_its_own_gradient():
    x = TAPE.input(np.float64(2.0))
    assert to_inputs(x, 3.0) == {x.extra: 3.0}


def test_what_was_let_go_is_not_walked_again():
    x = TAPE.input(np.array([1.0, 2.0]))
    y = np.sum(np.exp(x))
    to_inputs(y, keep=False)
    with pytest.raises(BackwardError, match="second time"):
        to_inputs(y)


def test_no_warning_is_heard_on_the_way_back_and_the_state_is_as_before():
    x = TAPE.input(np.array([0.0, 4.0]))
    y = np.sum(np.sqrt(x))
    with np.errstate(divide="raise", over="warn"):
        before = np.geterr()
        found = to_inputs(y)
        assert np.geterr() == before
    np.testing.assert_array_equal(found[x.extra], [np.inf, 0.25])
