"""A certificate authority that lives as long as the sandbox and signs for Discord's names."""

from __future__ import annotations

import ssl

import trustme

HOSTS = ("discord.com", "gateway.discord.gg", "cdn.discordapp.com", "media.discordapp.net")


class Authority:
    """Issue the one certificate the sandbox serves with, and trust nothing else.

    The private key never leaves this process and no system trust store is touched, so
    a client accepts the sandbox only when it is handed :meth:`client_context`.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._certificate = self._authority.issue_cert(*HOSTS)

    def server_context(self) -> ssl.SSLContext:
        """Return the context the sandbox listens with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._certificate.configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that verifies host names and trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._authority.configure_trust(context)
        return context
