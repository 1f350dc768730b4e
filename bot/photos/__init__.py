"""From a message or a link to the bytes of a photo, within limits."""
