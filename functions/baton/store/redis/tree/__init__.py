"""A job and the jobs below it in Redis: read, compared and written as one. engine/commit/layout.py names the fields."""
