"""Neural networks from one neuron to recurrent and state space models: the code of the book *Recurrence*.

Each chapter has a module of the same name here and a test of the same name, so that
``book/neurons/leaky_integration.md`` is the page about ``recurrence.neurons.leaky_integration``,
which ``tests/neurons/test_leaky_integration.py`` checks. Models need NumPy alone; only
``recurrence.plots`` needs matplotlib.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("recurrence-book")
except PackageNotFoundError:  # the folder is on the path, but nothing was installed
    __version__ = "0+unknown"
