"""Approvals on pages: what a person is shown before they decide, and how they decide."""
