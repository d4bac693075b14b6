"""Parts for the tests of a user's own handler."""
