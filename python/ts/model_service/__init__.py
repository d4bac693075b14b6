"""Handlers in the form of MXNet Model Server."""
