"""A Discord bot that names the species in a photo."""
