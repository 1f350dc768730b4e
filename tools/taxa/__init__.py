"""``fieldmark taxa``: the engine's tables of taxa and of their names, built from lists of facts."""
