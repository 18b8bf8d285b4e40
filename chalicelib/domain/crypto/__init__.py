"""Keys, and the texts that only we can make or read: handles, sealed values, pairwise names, signatures of others, the two
encodings (base64url, JSON) that are decoded strictly. Knows no account, client or clock."""
