"""`baton demo`: one real job, shown live on a stack of its own."""
