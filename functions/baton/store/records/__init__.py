"""Records that the store takes and gives, besides those of `baton.engine`."""
