"""From neuron to network: the modules of the book's part of the same name."""
