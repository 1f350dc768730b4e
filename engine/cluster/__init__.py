"""The workers as actors of a Ray cluster.

The bot's process neither imports Ray nor unpickles anything: ``backend`` there talks JSON to
``bridge``, a process that is the cluster's driver and holds no secrets, and that starts an
``actor`` for each seat.
"""
