"""Tools that are ready to use, one file each; users import them from `baton.tools`."""
