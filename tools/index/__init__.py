"""``fieldmark index``: build an index of reference photos, and look after it."""
