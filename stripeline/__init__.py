"""The `stripeline` command."""
