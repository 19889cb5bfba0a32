"""`baton gate`: forks or replays stored jobs, scores what they answer, and says whether each score is high enough."""
