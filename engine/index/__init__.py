"""The generic index on the disk: its segments, how they change, and how they are searched."""
