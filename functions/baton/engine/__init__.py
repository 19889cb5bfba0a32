"""The decisions on each step of a job. No I/O, no clock, no randomness, no environment."""
