"""Trees of arrays: a model, its gradient and its optimiser state are one shape that is walked in one way.

A tree is built of frozen dataclasses, tuples, named tuples, lists and dictionaries. Its leaves are
arrays of floating-point (or complex) numbers: the parameters. Whatever else hangs in a tree (names,
sizes, functions, arrays of integers, fields marked with :func:`fixed`) is carried along unchanged.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Tree = TypeVar("Tree")


def fixed(**options: Any) -> Any:
    """Mark a dataclass field whose content is not learnt, as a reservoir's random weights are.

    Parameters
    ----------
    **options
        Passed on to ``dataclasses.field``, for example ``default=0.5``.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Reservoir:
    ...     readout: Array
    ...     recurrent: Array = fixed()
    >>> size(Reservoir(readout=np.ones(3), recurrent=np.ones((3, 3))))
    3
    """
    return dataclasses.field(metadata={"fixed": True}, **options)


def map(f: Callable[..., Any], tree: Tree, *others: Any, every: bool = False) -> Tree:
    """Return the tree with ``f`` applied to each leaf, and to the values at its place in other trees.

    Parameters
    ----------
    f
        Called as ``f(leaf, *values)``; what it returns stands where the leaf stood.
    tree
        Gives the shape of the result, and everything in it that is not a leaf.
    *others
        Trees of the same structure. Only their branching is compared, not the shapes of their arrays.
    every
        Visit every array: those of integers and those in fixed fields too.

    Raises
    ------
    ValueError
        If another tree has a different structure; the message names the first place where it differs.

    Examples
    --------
    >>> map(lambda w, g: w - 0.1 * g, {"w": np.ones(2)}, {"w": np.full(2, 5.0)})
    {'w': array([0.5, 0.5])}
    """
    try:
        mapped: Tree = _map(f, tree, others, every)
    except _Differ as differ:
        raise ValueError(
            f"The trees differ at tree{differ.place}: {differ.ours} in the first, {differ.theirs} in another."
        ) from None
    return mapped


def leaves(tree: Any, *, every: bool = False) -> list[Any]:
    """List the leaves of a tree in the order of its fields.

    Parameters
    ----------
    tree
        Any tree of arrays.
    every
        List every array: those of integers and those in fixed fields too.
    """
    found: list[Any] = []
    _map(found.append, tree, (), every)
    return found


def size(tree: Any) -> int:
    """Count the numbers in all leaves: the parameters of a model."""
    return sum(leaf.size for leaf in leaves(tree))


def describe(tree: Any) -> str:
    """Write one line for each leaf (its place, its shape, how many numbers) and the total beneath."""
    rows = [(name, str(leaf.shape), f"{leaf.size:,}") for name, leaf in _named(tree).items()]
    rows.append(("total", "", f"{size(tree):,}"))
    places, shapes, counts = (max(len(cell) for cell in column) for column in zip(*rows, strict=True))
    return "\n".join(f"{p:<{places}}  {s:<{shapes}}  {n:>{counts}}" for p, s, n in rows)


def save(path: str | os.PathLike[str], tree: Any) -> None:
    """Write every array of a tree, fixed or learnt, into one ``.npz`` file, without pickling.

    The file appears complete or not at all: it is written beside its place under another name and
    then moved, so that an interrupted run never leaves half a model or harms the previous one.

    Parameters
    ----------
    path
        Where to write. The name is used as it is; end it with ``.npz``.
    tree
        The tree to write. Numbers that are not arrays are not written: :func:`load` takes them from
        the tree it is given.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            arrays: dict[str, Any] = _named(tree, every=True)
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], like: Tree) -> Tree:
    """Read what :func:`save` wrote into a tree of the same structure.

    Parameters
    ----------
    path
        The file to read.
    like
        A tree built as the saved one was: it gives the structure and every number that is not an array.

    Returns
    -------
    Tree
        ``like`` with the arrays of the file, bit for bit, in place of its own.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds other arrays, shapes or kinds of numbers than ``like``.
    """
    with open(path, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                saved = {name: file[name] for name in file.files}
        except Exception as error:
            # Which of a dozen exceptions a damaged archive raises depends on the byte that was hit.
            raise ValueError(
                f"{os.fspath(path)} is damaged or was not written by tree.save; save it again or fetch a fresh copy."
            ) from error
    expected = _named(like, every=True)
    if saved.keys() != expected.keys():
        absent = ", ".join(sorted(expected.keys() - saved.keys())) or "nothing"
        beyond = ", ".join(sorted(saved.keys() - expected.keys())) or "nothing"
        raise ValueError(
            f"{os.fspath(path)} does not fit this tree: it lacks {absent} and has {beyond} beyond it; "
            "build the tree as it was when it was saved."
        )
    for name, array in expected.items():
        if (saved[name].shape, saved[name].dtype) != (array.shape, array.dtype):
            raise ValueError(
                f"{os.fspath(path)} holds {name} as {saved[name].dtype} of shape {saved[name].shape}, "
                f"but this tree has {array.dtype} of shape {array.shape}; "
                "build the tree as it was when it was saved."
            )
    arrays = (saved[name] for name in expected)
    return map(lambda _: next(arrays), like, every=True)


class _Differ(Exception):
    """Two trees differ; the place is put together on the way up, for only then it is needed."""

    def __init__(self, node: Any, other: Any, every: bool) -> None:
        self.place, self.ours, self.theirs = "", _told(node, every), _told(other, every)


def _is_leaf(node: Any, every: bool) -> bool:
    return isinstance(node, np.ndarray) and (every or node.dtype.kind in "fc")


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Names of a dataclass's learnt fields and of all; None for other types."""
    if not dataclasses.is_dataclass(kind):
        return None
    fields = dataclasses.fields(kind)
    return tuple(f.name for f in fields if not f.metadata.get("fixed")), tuple(f.name for f in fields)


def _branches(node: Any, every: bool) -> tuple[Sequence[Any], Sequence[Any]] | None:
    """Return what a node's children are called and the children; None where nothing branches."""
    fields = _fields(node.__class__)
    if fields is not None:
        return fields[every], [getattr(node, name) for name in fields[every]]
    if isinstance(node, dict):
        return tuple(node), tuple(node.values())
    if isinstance(node, tuple | list):
        return getattr(node, "_fields", range(len(node))), node
    return None


def _step(node: Any, key: Any) -> str:
    """Write how Python reaches a child: ``.W``, ``['W']``, ``[0]``."""
    named = _fields(node.__class__) is not None or hasattr(node, "_fields")
    return f".{key}" if named else f"[{key!r}]"


def _with_children(node: Any, keys: Sequence[Any], children: list[Any]) -> Any:
    """Rebuild a node around new children."""
    fields = _fields(node.__class__)
    if fields is not None:
        # Not through the constructor: its checks hold for a model, but a gradient is no model.
        new = object.__new__(type(node))
        if len(keys) < len(fields[True]):
            for name in fields[True]:
                object.__setattr__(new, name, getattr(node, name))
        for name, child in zip(keys, children, strict=True):
            object.__setattr__(new, name, child)
        return new
    if isinstance(node, dict):
        return dict(zip(keys, children, strict=True))
    return type(node)(*children) if hasattr(node, "_fields") else type(node)(children)


def _told(node: Any, every: bool) -> str:
    branches = _branches(node, every)
    if branches is not None:
        return f"{type(node).__name__} with {', '.join(_step(node, key) for key in branches[0]) or 'nothing in it'}"
    return "an array" if _is_leaf(node, every) else f"{node!r:.40}"


def _map(f: Callable[..., Any], node: Any, others: Sequence[Any], every: bool) -> Any:
    """Apply ``f(leaf, *values)`` to each leaf. This runs several times in each step of training: keep it quick."""
    if _is_leaf(node, every):
        for other in others:
            if other is None or _branches(other, every) is not None:
                raise _Differ(node, other, every)
        value = f(node, *others)
        # NumPy turns results without axes into numbers; they must remain leaves.
        return np.asarray(value) if isinstance(value, np.generic) else value
    branches = _branches(node, every)
    if branches is None:
        for other in others:
            if _is_leaf(other, every) or _branches(other, every) is not None:
                raise _Differ(node, other, every)
        return node
    keys, children = branches
    theirs = [_matched(node, keys, other, every) for other in others]
    new = []
    for k, child in enumerate(children):
        try:
            new.append(_map(f, child, [their[k] for their in theirs], every))
        except _Differ as differ:
            differ.place = _step(node, keys[k]) + differ.place
            raise
    return _with_children(node, keys, new)


def _matched(node: Any, keys: Sequence[Any], other: Any, every: bool) -> Sequence[Any]:
    """Return the children of another tree's node in the order of ours."""
    branches = _branches(other, every) if type(other) is type(node) else None
    if branches is None or len(branches[0]) != len(keys):
        raise _Differ(node, other, every)
    if not isinstance(node, dict):
        return branches[1]
    if node.keys() != other.keys():
        raise _Differ(node, other, every)
    return [other[key] for key in keys]


def _named(node: Any, every: bool = False, place: str = "tree") -> dict[str, Any]:
    """List the leaves under their places, such as ``tree.readout.W``."""
    if _is_leaf(node, every):
        return {place: node}
    keys, children = _branches(node, every) or ((), ())
    found: dict[str, Any] = {}
    for key, child in zip(keys, children, strict=True):
        found.update(_named(child, every, place + _step(node, key)))
    return found
