"""Keys, and the texts that only we can make or read: handles, sealed values, pairwise names, signatures of others, the two
spellings (base64url, JSON) that are taken strictly. Knows no account, client or clock."""
