"""The workers as actors of a Ray cluster.

The bot's process neither imports Ray nor unpickles anything: ``backend`` there talks JSON to
``bridge``, a process that is the cluster's driver and holds no secrets, and that starts an
``actor`` for each seat. A divided index has an actor for each shard besides (``index_shard``),
which the ``shard_keeper`` there keeps alive and the workers ask (``ray_shards``).
"""
