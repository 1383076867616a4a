"""Neurons in time: the modules of the book's part of the same name."""
