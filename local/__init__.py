"""What runs on a developer's machine and never ships: the gateway, the embedded AWS, demo data, the deploying."""
