"""Workflows: ordinary Python whose awaits are steps of a job, made again from the steps that are recorded."""
