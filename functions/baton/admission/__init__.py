"""A job's slot: how it is requested, how operators steer who gets one, and the quota of stored bytes."""
