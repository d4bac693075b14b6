"""What a wish for an archive can be refused with."""


class ModelArchiverError(Exception):
    """The archive can't be made as asked; the message is for the user."""

    def __init__(self, message):
        super().__init__(message)
