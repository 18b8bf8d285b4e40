"""The only room that knows DynamoDB and SSM.

A verb names an event and carries its own condition; what can go two ways is a value.
"""
