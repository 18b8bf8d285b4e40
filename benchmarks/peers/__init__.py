"""What people would take instead: a folder a peer with its server and its pinned packages, a line a peer in `PEERS`."""
