"""How many stretches of scripts a process runs at once: one for each core, and one that a single tenant leaves free."""

from os import cpu_count

SCRIPTS_AT_ONCE = 1 + (cpu_count() or 1)
