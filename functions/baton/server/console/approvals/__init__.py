"""Approvals on pages: the context that a person needs, and the forms that decide."""
