"""What travels: the events on the wire, their ids, and their errors."""
