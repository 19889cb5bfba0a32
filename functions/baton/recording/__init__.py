"""A job as it ran, as one JSON document that it can be played back from."""
