"""Fixtures for any project's tests: the stand-ins as servers, with the environment set for the official SDKs."""
