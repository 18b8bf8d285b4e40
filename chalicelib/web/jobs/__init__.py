"""Functions that AWS starts by itself. They answer nobody."""
