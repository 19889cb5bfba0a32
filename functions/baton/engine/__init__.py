"""The rule of every write, pure: a tree as it is, what is asked of it, the tree as it will be, and the answer."""
