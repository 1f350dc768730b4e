"""``fieldmark bench``: what things cost on this machine.

Nothing is imported here, because the processes that are measured begin with this package.
"""
