"""Mails as their readers see them: a file a mail, its texts in each language, text and HTML. Decides nothing: whoever writes
a mail into the outbox has decided that."""
