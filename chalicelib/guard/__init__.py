"""The Lambda authorizers of API Gateway, for this API and every registered one. They start without app.py and without boto3,
so this room imports the domain and the settings alone, and the store only for an API whose tokens end with their session."""
