"""What all other flows use: the key set, limits, documents of strangers' servers, what a user is called
in front of a client. Knows no session and no endpoint."""
