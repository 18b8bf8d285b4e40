"""What Lambda has around a function: its runtime's client, with an API of ours in the place of Lambda's own."""
