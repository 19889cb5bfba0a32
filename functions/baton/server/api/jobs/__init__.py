"""Jobs over HTTP: each verb, lists and views, approvals, signals, recordings."""
