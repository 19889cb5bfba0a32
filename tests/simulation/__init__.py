"""The real code in a world with virtual time and every fault that a seed can think of; see world.py and explore.py."""
