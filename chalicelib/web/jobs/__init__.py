"""Functions that AWS starts by itself: key rotation. They answer nobody, and no request waits for one."""
