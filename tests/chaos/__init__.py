"""Chaos: a writer, a sync that is killed again and again, a store that dies, a network that fails; then the count."""
