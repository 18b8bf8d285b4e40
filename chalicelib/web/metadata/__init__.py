"""What the server says about itself: discovery, the key set, protected resources, OpenAPI."""
