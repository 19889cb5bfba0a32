"""What follows from what: each step of a job, decided. No I/O, no clock, no randomness, no environment."""
