"""What the host of a process asks of it: its paths, its end, who may fail how often."""
