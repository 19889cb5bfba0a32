"""Commands about jobs that have ended: ask them again, compare them, score them, play them back."""
