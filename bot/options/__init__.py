"""What commands let people choose from while they type: countries, languages."""
