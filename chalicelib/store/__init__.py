"""The only room that knows DynamoDB and SSM: one file a kind of item, over one narrow call (`aws`).

A verb names an event and carries its own condition; what can go two ways is a value. What is written with others is a
`Write`, which `transactions` commits. Not here: when something is written, and by whom.
"""
