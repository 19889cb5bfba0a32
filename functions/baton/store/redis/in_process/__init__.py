"""A Redis in this process: the adapters and the scripts of production over values that never change."""
