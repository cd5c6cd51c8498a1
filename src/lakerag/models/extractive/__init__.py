"""The generator that answers with the passages' own words."""

from lakerag.models.extractive.generator import ExtractiveGenerator

__all__ = ["ExtractiveGenerator"]
