"""The local stack and the `baton` command; production never imports it."""
