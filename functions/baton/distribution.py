"""The name under which all of this is installed; `baton` itself is a stranger's."""

DISTRIBUTION = "durable-baton"
