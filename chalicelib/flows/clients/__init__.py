"""Who calls: clients that authenticate, register, or bring a document of their own. What they may then do is decided in
`oauth`, by what `domain/oauth` says of them."""
