"""Gold's change data feed keeps a vector collection in step."""
