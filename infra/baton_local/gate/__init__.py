"""`baton gate`: runs stored jobs again, scores what they answer, and says whether each score is high enough."""
