"""One module per thing a member can do."""
