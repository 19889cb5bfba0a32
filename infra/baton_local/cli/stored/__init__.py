"""Commands about jobs that have ended: fork, compare, score, replay them."""
