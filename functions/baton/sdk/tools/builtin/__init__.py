"""Tools that are ready to use; users import them from `baton.tools` and `baton`."""
