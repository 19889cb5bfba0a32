"""Durable Python without replay: workflows, and the interpreter of their code. Needs the extra `workflows`."""
