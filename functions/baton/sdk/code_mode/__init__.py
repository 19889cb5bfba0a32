"""Scripts of a model: their text, their interpreter, and what leaves it."""
