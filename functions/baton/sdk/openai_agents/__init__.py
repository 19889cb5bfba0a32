"""Agents of OpenAI's Agents SDK as durable agents."""
