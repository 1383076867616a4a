"""Give computed numbers to the prose of a chapter, which names them with the role ``glue``."""

import sys
from collections.abc import Mapping

RECORD = "application/papermill.record/"
"""Prefix of the media type under which the book looks for what is to be quoted."""


def quote(chapter: str, words: Mapping[str, str]) -> None:
    """Store words in the output of the cell that is running, where the role ``glue`` finds them.

    They are what MyST-NB's own function of that name stores. Importing it takes a second and more, because it brings
    along all that checks and converts notebooks, and this needs nothing but the display of IPython. Where there is
    none, as in the browser, nothing is stored.

    Parameters
    ----------
    chapter
        Comes before each name: what is stored as ``network-rate`` stands in the text as ``{glue}`network-rate```.
    words
        Name → what the text shall say.

    Raises
    ------
    TypeError
        If one is not text: how many digits a number has in a sentence is for its author to say.

    Examples
    --------
    >>> quote("network", {"rate": f"{1.96:.1f}"})
    """
    for name, text in words.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is {text!r}; write it as the text shall show it, for example f'{{x:.1f}}'.")
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    for name, text in words.items():
        # MyST-NB reads Python's own notation, with the quotation marks, and takes them off.
        ipython.display.display(
            {RECORD + "text/plain": repr(text)},
            metadata={"scrapbook": {"name": f"{chapter}-{name}", "mime_prefix": RECORD}},
            raw=True,
        )
