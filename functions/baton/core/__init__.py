"""The pure core: what follows from what. No I/O, no clock, no randomness, no environment."""
