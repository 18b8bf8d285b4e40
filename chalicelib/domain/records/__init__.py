"""What is kept for minutes or a day, in the table under a secret text or sealed and handed to the caller: a class a record."""
