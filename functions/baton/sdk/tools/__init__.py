"""Tools: made from functions, checked, given their arguments; the built-in ones are in `builtin`."""
