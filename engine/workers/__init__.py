"""Worker processes from outside: whose request is next, and what becomes of who dies."""
