"""How DynamoDB and SSM are called: one narrow call, its errors, and who carries it over the network.

Not here: what is asked for, and what an answer means. That is the stores', which know `client` and nothing below it.
"""
