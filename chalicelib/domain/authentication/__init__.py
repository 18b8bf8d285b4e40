"""What a login has proved, and which proofs are still missing, as data. Reads and writes nothing; asks nobody."""
