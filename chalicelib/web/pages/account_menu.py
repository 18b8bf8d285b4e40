"""What a person can go to from the start of their own pages, in this order."""

# The path below the issuer, and the text that says what is there. A page adds itself by one line.
MENU = (
    ("account/password", "password.title"),
    ("account/email", "your_email.title"),
    ("account/factors", "factors.title"),
    ("account/sessions", "sessions"),
    ("account/apps", "apps.title"),
    ("account/activity", "activity.title"),
    ("account/export", "export.title"),
    ("account/delete", "delete.title"),
)
