"""Agents of pydantic-ai as durable agents."""
