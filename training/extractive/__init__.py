"""Fits the extractive generator: the table of word rarities, then the scorer."""
