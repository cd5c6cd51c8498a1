"""Raw rows become clean documents, or quarantined ones."""
