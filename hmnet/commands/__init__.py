"""Train, read, predict and export one model: what the subcommands of `hmnet` call."""
