"""Sessions: begin, issue tokens, refresh, list, end, log out, and the browser's own. How somebody proved who they are is not
decided here, nor what the token endpoint checks before a refresh (`oauth/grants`)."""
