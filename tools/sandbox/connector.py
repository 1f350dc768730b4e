"""The connector that leads an unmodified bot to the sandbox and nowhere else."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tools.sandbox.tls import HOSTS

LOOPBACK = "127.0.0.1"


class LoopbackResolver(AbstractResolver):
    """Resolve Discord's host names to one port of this machine and refuse every other.

    The URL keeps its name and the scheme's port, so TLS, the Host header and signed URLs
    are the real ones; only the address that is dialled differs.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 -- the interface names it; the sandbox has one port
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        """Map ``host`` to the sandbox.

        Raises:
            OSError: ``host`` is not one of Discord's.
        """
        if host not in HOSTS:
            raise OSError(
                errno.EHOSTUNREACH,
                f"the sandbox has no way to {host}; it stands in for {', '.join(HOSTS)} only",
            )
        return [
            ResolveResult(
                hostname=host,
                host=LOOPBACK,
                port=self._port,
                family=socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
        ]

    async def close(self) -> None:
        """Hold nothing, so release nothing."""


def loopback_connector(port: int, context: ssl.SSLContext) -> aiohttp.TCPConnector:
    """Return a connector for discord.py's ``connector=`` that reaches only ``port``.

    Args:
        port: The sandbox's TLS port on the loopback address.
        context: What the client trusts.
    """

    def only_the_sandbox(address: aiohttp.AddrInfoType) -> socket.socket:
        # A URL with a numeric host never asks the resolver, so the dial itself is guarded too.
        family, kind, protocol, _, target = address
        if target != (LOOPBACK, port):
            raise OSError(errno.EHOSTUNREACH, f"the sandbox has no way to {target[0]}:{target[1]}")
        dial = socket.socket(family, kind, protocol)
        dial.setblocking(False)
        return dial

    return aiohttp.TCPConnector(
        resolver=LoopbackResolver(port),
        ssl=context,
        use_dns_cache=False,
        limit=0,
        socket_factory=only_the_sandbox,
    )
