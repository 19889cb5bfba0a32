"""What concerns all jobs together: their slots, their list, what they add up to."""
