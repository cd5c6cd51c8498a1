"""Metrics of retrieval and answers, and the gates on them."""
