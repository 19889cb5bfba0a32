"""The local stack and its supervisor: chooses ports, keeps secrets, starts parts, keeps them alive, stops them."""
