"""Trees of arrays: a model, its gradient and its optimiser state are one shape that is walked in one way.

A tree is built of frozen dataclasses, tuples, named tuples, lists and dictionaries. Its leaves are
arrays of floating-point (or complex) numbers: the parameters. Whatever else hangs in a tree (names,
sizes, functions, arrays of integers, fields marked with :func:`fixed`) is carried along unchanged.
"""

import copy
import dataclasses
import os
from collections.abc import Callable
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
    mapped: Tree = _map(lambda _, *values: f(*values), tree, others, every, "tree")
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
    return list(_named(tree, every).values())


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
    loaded: Tree = _map(lambda name, _: saved[name], like, (), True, "tree")
    return loaded


def _is_leaf(node: Any, every: bool) -> bool:
    return isinstance(node, np.ndarray) and (every or np.issubdtype(node.dtype, np.inexact))


def _branches(node: Any, every: bool) -> dict[str, Any] | None:
    """Name a node's children by how Python reaches them; None where nothing branches."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = (f.name for f in dataclasses.fields(node) if every or not f.metadata.get("fixed"))
        return {f".{name}": getattr(node, name) for name in fields}
    if isinstance(node, dict):
        return {f"[{key!r}]": child for key, child in node.items()}
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return {f".{name}": child for name, child in zip(node._fields, node, strict=True)}
    if isinstance(node, tuple | list):
        return {f"[{index}]": child for index, child in enumerate(node)}
    return None


def _with_children(node: Any, children: dict[str, Any]) -> Any:
    """Rebuild a node around new children."""
    if dataclasses.is_dataclass(node):
        # Not through the constructor: its checks hold for a model, but a gradient is no model.
        node = copy.copy(node)
        for name, child in children.items():
            object.__setattr__(node, name.removeprefix("."), child)
        return node
    if isinstance(node, dict):
        return dict(zip(node, children.values(), strict=True))
    if hasattr(node, "_fields"):
        return type(node)(*children.values())
    return type(node)(children.values())


def _fits(node: Any, other: Any, every: bool) -> bool:
    ours, theirs = _branches(node, every), _branches(other, every)
    if ours is not None and theirs is not None:
        return type(node) is type(other) and ours.keys() == theirs.keys()
    if _is_leaf(node, every):
        return theirs is None and other is not None
    return ours is theirs and not _is_leaf(other, every)


def _told(node: Any, every: bool) -> str:
    branches = _branches(node, every)
    if branches is not None:
        return f"{type(node).__name__} with {', '.join(branches) or 'nothing in it'}"
    return "an array" if _is_leaf(node, every) else f"{node!r:.40}"


def _map(f: Callable[..., Any], node: Any, others: tuple[Any, ...], every: bool, place: str) -> Any:
    """Apply ``f(place, leaf, *values)`` to each leaf."""
    for other in others:
        if not _fits(node, other, every):
            raise ValueError(
                f"The trees differ at {place}: {_told(node, every)} in the first, {_told(other, every)} in another."
            )
    if _is_leaf(node, every):
        value = f(place, node, *others)
        # NumPy turns results without axes into numbers; they must remain leaves.
        return np.asarray(value) if isinstance(value, np.generic) else value
    children = _branches(node, every)
    if children is None:
        return node
    theirs = [_branches(other, every) or {} for other in others]
    return _with_children(
        node,
        {
            name: _map(f, child, tuple(their[name] for their in theirs), every, place + name)
            for name, child in children.items()
        },
    )


def _named(tree: Any, every: bool = False) -> dict[str, Any]:
    """List the leaves under their places, such as ``tree.readout.W``."""
    found: dict[str, Any] = {}
    _map(found.__setitem__, tree, (), every, "tree")
    return found
