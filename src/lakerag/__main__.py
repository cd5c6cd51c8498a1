"""`python -m lakerag`."""

from lakerag.cli import main

main()
