"""``fieldmark bench``: what things cost on this machine."""

from tools.bench.app import bench_app

__all__ = ["bench_app"]
