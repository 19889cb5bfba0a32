"""Records that users, engine and store share: they hold values and decide nothing."""
