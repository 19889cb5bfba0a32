"""Plays a recorded job back through the real code, offline: recorded answers stand for models and tools."""
