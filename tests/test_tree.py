"""Trees of arrays: what is a leaf, what stays, what is refused, and what a file gives back."""

import dataclasses
import doctest
import os
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurrence import tree


@dataclasses.dataclass(frozen=True)
class Layer:
    W: tree.Array
    b: tree.Array
    name: str = "layer"


@dataclasses.dataclass(frozen=True)
class Reservoir:
    readout: Layer
    recurrent: tree.Array = tree.fixed()
    steps: tree.Array = tree.fixed(default_factory=lambda: np.arange(2))
    scale: float = 0.9

    def __post_init__(self) -> None:
        if self.scale <= 0 or np.any(self.readout.W < 0):
            raise ValueError("a model, not a gradient")


class Moments(NamedTuple):
    first: Any
    second: Any


def reservoir() -> Reservoir:
    layer = Layer(np.full((2, 3), 2.0), np.zeros(3, np.float32))
    return Reservoir(layer, recurrent=np.ones((4, 4)))


def test_doctests():
    assert doctest.testmod(tree).failed == 0


def test_leaves_are_the_floating_arrays_in_order():
    model = {"a": [np.ones(2), 3, "x"], "b": Moments(np.zeros(1), (np.ones(4, complex), np.arange(3)))}
    assert [leaf.size for leaf in tree.leaves(model)] == [2, 1, 4]
    assert [leaf.size for leaf in tree.leaves(model, every=True)] == [2, 1, 4, 3]


def test_fixed_fields_are_not_parameters():
    assert tree.size(reservoir()) == 6 + 3
    assert sum(leaf.size for leaf in tree.leaves(reservoir(), every=True)) == 6 + 3 + 16 + 2


def test_map_keeps_structure_and_what_is_not_a_leaf():
    before = reservoir()
    after = tree.map(lambda w: w + 1, before)
    assert type(after) is Reservoir and after.readout.name == "layer" and after.scale == 0.9
    np.testing.assert_array_equal(after.readout.W, np.full((2, 3), 3.0))
    assert after.readout.b.dtype == np.float32
    assert after.recurrent is before.recurrent and after.steps is before.steps
    np.testing.assert_array_equal(before.readout.W, np.full((2, 3), 2.0))


def test_map_skips_the_checks_of_a_model_because_a_gradient_is_no_model():
    assert np.all(tree.map(np.negative, reservoir()).readout.W == -2)


def test_a_leaf_without_axes_stays_a_leaf():
    assert tree.size(tree.map(lambda w: 2 * w, {"w": np.array(3.0)})) == 1


def test_map_keeps_named_tuples_lists_and_keys():
    mapped = tree.map(lambda w: w * 2, Moments([np.ones(1)], {"k": (np.ones(2),)}))
    assert isinstance(mapped, Moments) and isinstance(mapped.first, list)
    assert isinstance(mapped.second["k"], tuple) and mapped.second["k"][0].sum() == 4


def test_map_of_several_trees_goes_by_name_not_by_order():
    one, two = {"a": np.ones(1), "b": np.zeros(1)}, {"b": np.full(1, 5.0), "a": np.full(1, 7.0)}
    assert tree.map(lambda x, y: float(y[0]), one, two) == {"a": 7.0, "b": 5.0}


def test_map_accepts_a_number_for_each_leaf():
    norms = tree.map(lambda w: float(np.abs(w).max()), {"a": np.ones(2)})
    assert tree.map(lambda w, norm: norm, {"a": np.zeros(2)}, norms) == {"a": 1.0}


@pytest.mark.parametrize(
    ("one", "two", "place"),
    [
        ({"a": np.ones(1)}, {"b": np.ones(1)}, "tree:"),
        ({"a": [np.ones(1)]}, {"a": [np.ones(1)] * 2}, r"tree\['a'\]:"),
        ((np.ones(1),), [np.ones(1)], "tree:"),
        ([np.ones(1)], [[np.ones(1)]], r"tree\[0\]: an array in the first, list with \[0\]"),
        ([np.ones(1)], [None], r"tree\[0\]:"),
        ([None], [np.ones(1)], r"tree\[0\]: None in the first, an array in another"),
        ([None], [[]], r"tree\[0\]:"),
        ([Layer(np.ones(1), np.ones(1))], [Moments(np.ones(1), np.ones(1))], r"tree\[0\]:"),
    ],
)
def test_map_names_the_place_where_trees_differ(one, two, place):
    with pytest.raises(ValueError, match=f"^The trees differ at {place}"):
        tree.map(lambda x, y: x, one, two)


def test_describe_gives_places_shapes_and_total():
    lines = tree.describe(reservoir()).splitlines()
    assert [line.split() for line in lines] == [
        ["tree.readout.W", "(2,", "3)", "6"],
        ["tree.readout.b", "(3,)", "3"],
        ["total", "9"],
    ]
    assert len({len(line) for line in lines}) == 1


arrays = st.sampled_from([np.float32, np.float64, np.complex128, np.int64, np.bool_]).flatmap(
    lambda kind: st.lists(st.integers(0, 3), max_size=3).map(lambda shape: np.ones(shape, kind))
)
trees = st.recursive(
    arrays | st.none() | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda below: (
        st.lists(below, max_size=3)
        | st.tuples(below, below)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), below, max_size=3)
        | st.builds(Moments, below, below)
    ),
    max_leaves=6,
)


@given(trees)
def test_map_of_the_identity_changes_nothing(model):
    same = tree.map(lambda leaf: leaf, model)
    assert repr(same) == repr(model)


@given(trees)
def test_a_file_gives_back_every_array_bit_for_bit(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("tree") / "model.npz"
    tree.save(path, tree.map(lambda array: array * np.array(0.1).astype(array.dtype), model, every=True))
    back = tree.load(path, model)
    expected = [array * np.array(0.1).astype(array.dtype) for array in tree.leaves(model, every=True)]
    found = tree.leaves(back, every=True)
    assert [(a.dtype, a.shape, a.tobytes()) for a in found] == [(a.dtype, a.shape, a.tobytes()) for a in expected]


def test_a_file_holds_fixed_arrays_and_is_not_pickled(tmp_path):
    tree.save(tmp_path / "model.npz", reservoir())
    other = dataclasses.replace(reservoir(), recurrent=np.zeros((4, 4)))
    back = tree.load(tmp_path / "model.npz", other)
    assert np.all(back.recurrent == 1) and back.readout.name == "layer"
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["tree.readout.W", "tree.readout.b", "tree.recurrent", "tree.steps"]


def test_a_single_array_is_a_tree_too(tmp_path):
    tree.save(tmp_path / "one.npz", np.arange(3.0))
    np.testing.assert_array_equal(tree.load(tmp_path / "one.npz", np.zeros(3)), np.arange(3.0))


def test_objects_are_refused_and_leave_nothing_behind(tmp_path):
    tree.save(tmp_path / "model.npz", [np.ones(1)])
    before = (tmp_path / "model.npz").read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        tree.save(tmp_path / "model.npz", [np.array([object()])])
    assert (tmp_path / "model.npz").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    tree.save(tmp_path / "model.npz", [np.ones(1)])

    def interrupted(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tree.save(tmp_path / "model.npz", [np.zeros(1)])
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]
    assert tree.load(tmp_path / "model.npz", [np.zeros(1)])[0] == 1


def test_an_absent_file_is_absent_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        tree.load(tmp_path / "model.npz", [np.ones(1)])


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "text", "npy"])
def test_a_damaged_file_is_one_clear_sentence(tmp_path, damage):
    path = tmp_path / "model.npz"
    tree.save(path, [np.arange(1000.0)])
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    with open(tmp_path / "one.npy", "wb") as file:
        np.save(file, np.ones(3))
    path.write_bytes(
        {
            "empty": b"",
            "half": path.read_bytes()[: len(whole) // 2],
            "flipped": bytes(whole),
            "text": b"not an archive",
            "npy": (tmp_path / "one.npy").read_bytes(),
        }[damage]
    )
    with pytest.raises(ValueError, match=r"model\.npz is damaged or was not written by tree\.save; .*\.$"):
        tree.load(path, [np.zeros(1000)])


@pytest.mark.parametrize(
    ("like", "sentence"),
    [
        ({"b": np.ones((2, 3))}, r"lacks tree\['b'\] and has tree\['a'\] beyond it"),
        ({"a": np.ones((2, 3)), "b": np.ones(1)}, r"lacks tree\['b'\] and has nothing beyond it"),
        ({"a": np.ones((3, 2))}, r"float64 of shape \(2, 3\), but this tree has float64 of shape \(3, 2\)"),
        ({"a": np.ones((2, 3), np.float32)}, r"float64 of shape \(2, 3\), but this tree has float32"),
    ],
)
def test_a_file_that_does_not_fit_says_where(tmp_path, like, sentence):
    tree.save(tmp_path / "model.npz", {"a": np.ones((2, 3))})
    with pytest.raises(ValueError, match=sentence):
        tree.load(tmp_path / "model.npz", like)
