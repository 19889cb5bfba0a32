"""A public address for an app on this machine, so that the hosted queue reaches it: `baton tunnel`."""
