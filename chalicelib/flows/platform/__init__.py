"""What all other flows use: the key set, limits, MACs and sealed texts, documents of other people's servers, ids, and what a
user is called in front of a client (`subjects`). Knows no session and no endpoint."""
