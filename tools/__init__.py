"""What people run: the `fieldmark` command and the sandbox."""
