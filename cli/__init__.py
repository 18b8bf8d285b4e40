"""What an operator types: commands on clients, keys, other APIs and releases, and the place that they work in.

A command reads its command line, has another room do the work, and says in one line what was in the way. Not here: the
work itself, which is `chalicelib`'s or `deploy`'s, and what runs on a developer's machine (`local`).
"""
