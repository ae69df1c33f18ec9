"""The exceptions that the stages turn into a one-line message."""


class UserError(Exception):
    """Something that the user can put right.

    The message is one line: what was found, what was expected, where, and what to do.
    """


class Interrupted(BaseException):
    """The process was told to leave; what it had done is kept, and the same command goes on from there.

    No Exception, as KeyboardInterrupt is none: nobody may take it for a failure to get over.
    """
