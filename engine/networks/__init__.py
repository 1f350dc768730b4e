"""The Hub's networks: where they come from, and the runtime that computes them here."""
