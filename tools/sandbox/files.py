"""The files that people and the bot uploaded, and the signed addresses that open them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from tools.sandbox.messages import Attachment, Upload
from tools.sandbox.settings import Settings


class Files:
    """Keep files in memory, by the path at which the CDN serves them.

    Args:
        settings: How long an address opens its file.
        new_id: Makes the id of a file.
    """

    def __init__(self, settings: Settings, new_id: Callable[[], int]) -> None:
        self._settings = settings
        self._new_id = new_id
        self._key = secrets.token_bytes(32)
        self._by_path: dict[str, Attachment] = {}

    def store(
        self,
        upload: Upload,
        *,
        folder: str,
        description: str | None = None,
        ephemeral: bool = False,
    ) -> Attachment:
        """Keep a file under a path of its own."""
        number = self._new_id()
        name = PurePosixPath(upload.filename.replace("\\", "/")).name or "unknown"
        name = name.replace(" ", "_")
        attachment = Attachment(
            id=number,
            path=f"/{folder}/{number}/{quote(name, safe='')}",
            sign=self._signed,
            upload=Upload(filename=name, data=upload.data, content_type=upload.content_type),
            description=description,
            ephemeral=ephemeral,
        )
        self._by_path[attachment.path] = attachment
        return attachment

    def at(self, path: str) -> Attachment | None:
        """Return the file at a path, if it is there still."""
        return self._by_path.get(path)

    def remove(self, attachment: Attachment) -> None:
        """Serve a file no more."""
        self._by_path.pop(attachment.path, None)

    def opens(self, query: Mapping[str, str], path: str) -> bool:
        """Tell whether an address with this query was signed for ``path`` and has not expired."""
        expires, issued = query.get("ex", ""), query.get("is", "")
        signature = self._signature(path, expires, issued)
        if not hmac.compare_digest(signature, query.get("hm", "")):
            return False
        return int(expires, 16) > time.time()

    def _signed(self, path: str) -> str:
        """Return the query of an address that is good from now until it expires."""
        now = int(time.time())
        issued, expires = f"{now:x}", f"{now + int(self._settings.attachment_lifetime):x}"
        return f"ex={expires}&is={issued}&hm={self._signature(path, expires, issued)}&"

    def _signature(self, path: str, expires: str, issued: str) -> str:
        """Sign an address, so that one with a changed expiry is refused."""
        text = f"{path}|{expires}|{issued}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
