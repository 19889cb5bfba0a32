"""A job's slot: its requests, the operators' control of the admission, and the quota of stored bytes."""
