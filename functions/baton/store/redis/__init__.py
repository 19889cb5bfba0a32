"""The store on Redis: one of the importers of its SDK. Importing a module opens nothing."""
