"""A module that fails where it is imported."""

codec = 1 / 0
