"""A Discord on this machine: a wire-level stand-in that an unmodified bot runs against.

It speaks REST v10, gateway v10 and the CDN under Discord's own names, over TLS, on the
loopback address; nothing leaves the machine. See :class:`Sandbox`.
"""

from tools.sandbox.cdn import Delivery
from tools.sandbox.interactions import Interaction, NoResponse
from tools.sandbox.member import Member
from tools.sandbox.options import NotPossible
from tools.sandbox.rest import Exchange
from tools.sandbox.server import Sandbox
from tools.sandbox.settings import Settings
from tools.sandbox.spec import Violation

__all__ = [
    "Delivery",
    "Exchange",
    "Interaction",
    "Member",
    "NoResponse",
    "NotPossible",
    "Sandbox",
    "Settings",
    "Violation",
]
