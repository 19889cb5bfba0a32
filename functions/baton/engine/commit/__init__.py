"""The rule of every write, pure: a tree as it is, a step, the tree as it will be, and the answer."""
