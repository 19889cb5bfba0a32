"""The demo model, which needs no provider: it answers questions over a folder of text files."""
