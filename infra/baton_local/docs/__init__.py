"""Writes the generated parts of the documentation from the code, so that the two cannot differ."""
