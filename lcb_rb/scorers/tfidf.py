"""A bag of words: TF-IDF and a logistic regression on the difference of the two sides of training pairs."""

import hashlib
from collections.abc import Callable, Sequence

from lcb_rb.errors import MissingExtraError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item

MAX_WORDS = 20_000


class TfidfScorer:
    """Scores by words alone; what it gets right needs no understanding of the reasoning."""

    def __init__(self, pairs: Sequence[PreferencePair], seed: int) -> None:
        """Fits on the pairs.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        from scipy.sparse import vstack

        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "builders") from error
        digest = hashlib.sha256("\0".join(pair.id for pair in pairs).encode()).hexdigest()
        self.name = "tfidf"
        self.revision = f"fitted on {len(pairs)} pairs (ids {digest[:16]})"
        self.notes: list[str] = []
        self._vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=MAX_WORDS)
        self._vectorizer.fit([text for pair in pairs for text in (pair.chosen_reasoning, pair.rejected_reasoning)])
        chosen = self._vectorizer.transform([pair.chosen_reasoning for pair in pairs])
        rejected = self._vectorizer.transform([pair.rejected_reasoning for pair in pairs])
        self._model = LogisticRegression(fit_intercept=False, max_iter=1000, random_state=seed)
        both = vstack([chosen - rejected, rejected - chosen])
        self._model.fit(both, [1] * len(pairs) + [0] * len(pairs))

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns the weighted sum of each reasoning's words."""
        words = self._vectorizer.transform([item.reasoning for item in items])
        for _ in items:
            advance()
        return [float(value) for value in self._model.decision_function(words)]
