"""``fieldmark taxa resolve``: GBIF keys for taxa that have none."""
