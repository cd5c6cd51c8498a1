"""A lakehouse for retrieval-augmented generation: Delta tables in, cited answers out."""

__version__ = "0.1.0"
