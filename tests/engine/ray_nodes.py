"""A Ray cluster on this machine for tests: ``python -m tests.engine.ray_nodes NODES``.

A head without processors, and nodes with one each. Prints the head's address; then it does
what each line it reads says, ``"add"`` a node or ``"lose PID"``, the node whose actor has that
process id, and prints ``done``. Ends the cluster at the end of its input.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from ray.cluster_utils import Cluster

from tests.engine.process_tree import children_of, parent_of

_NODE = {"node_ip_address": "127.0.0.1", "object_store_memory": 80 * 1024 * 1024}


def lose(cluster: Cluster, actor: int) -> None:
    """End a node as a power failure would: all of it, with no goodbye."""
    raylet = parent_of(actor)
    for pid in (raylet, *children_of(raylet)):
        os.kill(pid, signal.SIGKILL)
    (node,) = [
        node
        for node in cluster.worker_nodes
        if node.all_processes["raylet"][0].process.pid == raylet
    ]
    cluster.remove_node(node, allow_graceful=False)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    # Sockets lie in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        # Where Ray writes which cluster is this machine's: not over that of somebody's own.
        os.environ["RAY_TMPDIR"] = folder
        (Path(folder) / "ray").mkdir()
        serve(folder)


def serve(folder: str) -> None:
    head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args=head | _NODE)
    for _ in range(int(sys.argv[1])):
        cluster.add_node(num_cpus=1, **_NODE)
    say(cluster.address)
    for line in sys.stdin:
        order, *actors = line.split()
        if order == "add":
            cluster.add_node(num_cpus=1, **_NODE)
        for actor in actors:
            lose(cluster, int(actor))
        say("done")
    cluster.shutdown()


if __name__ == "__main__":
    main()
