"""Odd values for every door: what foreign code raises, returns and hands over, and a soak that plays them."""
