"""Data of all jobs together: their slots, their list, their sums."""
