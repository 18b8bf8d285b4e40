"""Who calls: clients that authenticate, register, or bring a document of their own. What they may then do is not decided here."""
