"""Model calls that somebody else makes while the job waits."""
