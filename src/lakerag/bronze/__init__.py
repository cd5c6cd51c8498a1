"""Landing files become raw rows: every version of every file, with its bytes."""
