"""What goes from a handler back to the worker."""
