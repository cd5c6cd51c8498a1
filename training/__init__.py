"""The recipe that trains lakerag's own small T5: one module a step, one command a step."""
