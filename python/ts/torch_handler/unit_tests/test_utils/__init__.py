"""Stand-ins for what the server passes to a handler."""
