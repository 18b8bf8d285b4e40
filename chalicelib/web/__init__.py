"""HTTP in, HTTP out: the only room that knows Chalice and status codes. Decides nothing about accounts, grants or keys."""
