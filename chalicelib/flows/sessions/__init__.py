"""Sessions: begin, refresh, list, end, log out, and the browser's own. How somebody proved who they are is not decided here."""
