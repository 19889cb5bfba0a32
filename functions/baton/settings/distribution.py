"""The name of the installed distribution; `baton` on the package index belongs to another project."""

DISTRIBUTION = "durable-baton"
