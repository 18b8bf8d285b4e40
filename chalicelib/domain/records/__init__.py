"""What is kept for minutes or a day: in the table under a secret text (`once`), or sealed and handed to a caller (`sealed`).

One class a record, one line in the list of its kind. Not here: what lasts (users, sessions, clients), which has an item in
its store.
"""
