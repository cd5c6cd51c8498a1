"""Retrieve, prompt, answer; one MLflow model. Never imports pyspark."""
