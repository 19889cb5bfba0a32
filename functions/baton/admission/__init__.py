"""Asking for a job's slot, and how operators steer who gets one."""
