"""What can be in the way of whoever deploys."""


class CannotDeployError(Exception):
    """Something is in the way; the message says what, in one line."""
