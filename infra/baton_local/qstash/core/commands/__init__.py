"""What callers and schedules may do to the state: one file for each kind of thing."""
