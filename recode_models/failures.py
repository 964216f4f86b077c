"""A training that failed although the request was right."""

from lcb_rb.errors import RecodeError


class TrainingError(RecodeError):
    """Numbers ran away, or the saved model is not the trained one; nothing is left in place."""
