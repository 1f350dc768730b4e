"""GBIF as the bot asks it: politely, within seconds, and from a cache where it does not answer."""
