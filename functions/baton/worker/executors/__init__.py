"""The executors of pieces of work: a turn of a model, a run of a tool; within their limits."""
