"""A named fake for each port; each passes the same contract tests as the real adapter."""
