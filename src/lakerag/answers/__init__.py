"""Batch answers as Delta tables, and SQL over them."""
