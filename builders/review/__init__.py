"""People read pairs blind: a local page that takes their verdicts, and what several reviewers' verdicts say."""
