"""The recipe of the starter: a small network distilled from the Hub's on this machine."""
