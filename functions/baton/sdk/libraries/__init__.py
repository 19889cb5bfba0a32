"""What agents of other libraries have in common: pieces of a run, recorded failures, steps of hooks."""
