"""What runs on Lambda: web (HTTP) over flows (what happens) over store (DynamoDB, SSM); domain decides from its arguments.

Beside web is guard, the Lambda authorizers.
"""

__version__ = "0.1.0"
