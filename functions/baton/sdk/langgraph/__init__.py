"""Agents of LangGraph as durable agents."""
