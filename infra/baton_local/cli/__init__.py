"""The `baton` command: one file per subcommand, imported only when it is used."""
