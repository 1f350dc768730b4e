"""A guard on outgoing connections: only public web servers, judged at connect time.

Judging a link's text is not enough: a name may resolve to a private address, differently on
each look-up, and a public page may redirect to one. So the judgement is made on the address
that the socket is about to connect to, of every attempt, whatever led there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver

Address: TypeAlias = IPv4Address | IPv6Address
Rule: TypeAlias = Callable[[Address, int], bool]
"""Says whether an address and port may be connected to."""

_AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str | int, ...]]

_WEB_PORTS = frozenset({80, 443})

# IANA's special-purpose registries, written out because ``is_global`` of the Pythons in use
# disagrees with itself (CPython gh-113171), and one public address that serves secrets.
_CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata server
        "169.254.0.0/16",  # link-local, metadata servers of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

# Of IPv6 only global unicast is open. Outside of it lie loopback, v4-mapped and v4-compatible
# addresses, NAT64 (64:ff9b::/96), unique-local, link-local, site-local and multicast.
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


class AddressRefused(OSError):
    """The address or port is not one of a public web server."""

    def __init__(self) -> None:
        # One text for every refusal: the connection logic merges equal errors into one.
        super().__init__("not the address of a public web server")


def is_public(address: Address) -> bool:
    """Tell whether ``address`` is globally routable unicast and no alias of one that is not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def public_web(address: Address, port: int) -> bool:
    """Allow the web ports of public addresses."""
    return port in _WEB_PORTS and is_public(address)


def guarded_connector(
    rule: Rule = public_web, *, resolver: AbstractResolver | None = None
) -> aiohttp.TCPConnector:
    """Return a connector whose every connection attempt must pass ``rule``.

    It keeps no connection open and caches no name. An attempt that ``rule`` forbids fails
    as ``aiohttp.ClientConnectorError`` with an ``AddressRefused`` as its ``os_error``.
    """

    def guarded_socket(info: _AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        host, port = str(address[0]).partition("%")[0], int(address[1])
        try:
            target = ip_address(host)
        except ValueError:
            raise AddressRefused from None
        if not rule(target, port):
            raise AddressRefused
        return socket.socket(family=family, type=kind, proto=protocol)

    return aiohttp.TCPConnector(
        socket_factory=guarded_socket, resolver=resolver, use_dns_cache=False, force_close=True
    )
