"""What scopes open on an API, as a policy that API Gateway may keep for all of its routes."""
