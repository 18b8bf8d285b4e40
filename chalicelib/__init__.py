"""What runs on Lambda: web (HTTP) over flows (what happens) over store (DynamoDB, SSM); domain decides from its arguments."""
