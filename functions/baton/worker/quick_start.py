"""Importing this first halts the collector of garbage, until a `LazyApp` is made.

What a function imports stays as long as its process: to look for garbage among it is a sixth of a start.
"""

import gc

gc.disable()
