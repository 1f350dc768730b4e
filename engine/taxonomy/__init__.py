"""What is known of taxa offline: their lineages, their names, and how to find one by a name."""
