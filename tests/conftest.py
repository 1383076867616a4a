"""Settings that all tests share."""

from hypothesis import settings

# No deadline for a single example: on a busy machine the time it takes says nothing about the code.
settings.register_profile("recurrence", deadline=None, print_blob=True)
settings.load_profile("recurrence")
