"""Request in, response out: routing, decoding, error answers, the middleware, the request log. No endpoint of its own."""
