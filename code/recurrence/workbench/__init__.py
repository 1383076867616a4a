"""The workbench: one command that trains the models of the book, and the results it has made."""
