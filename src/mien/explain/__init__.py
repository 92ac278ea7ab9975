"""Where in a face a network looks: maps of it, and a check that they follow what it learnt."""
