"""``fieldmark study``: the comparisons behind the defaults."""
