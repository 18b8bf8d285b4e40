"""What the server says about itself: discovery, the key set, protected resources, OpenAPI, and the list of every file of
routes (`apis`). No endpoint that does something."""
