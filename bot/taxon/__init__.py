"""From a name that somebody typed to the card of the taxon that it means."""
