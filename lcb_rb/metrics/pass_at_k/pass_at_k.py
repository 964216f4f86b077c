"""pass@k of candidate programs as a module of `evaluate`; the work is done by the package lcb-rb."""

import datasets
import evaluate

from lcb_rb.execution import Limits, grade_many
from lcb_rb.metrics.candidates import grade_candidates

_DESCRIPTION = """
The chance that at least one of k candidate programs passes the tests of its problem, estimated without bias.
Takes the inputs of the module code_eval. Candidates run in isolated processes that never hold the tests.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: For every problem a list of candidate programs.
    references: For every problem its test code, such as "assert add(2, 3) == 5" or a `check(candidate)` followed by
        `check(add)`; or a problem of lcb-rb as JSON.
    k: Numbers of samples drawn. One that a problem has too few candidates for is left out of the result.
    num_workers: Processes at a time; the number of CPUs when None.
    timeout: CPU time of one test of kind stdin or call, and of all of a test code, seconds.
Returns:
    A dict: "pass@k" for every k; "intervals" with the 95 % interval of each (None below two problems); "n_samples" and
    "n_ungraded", samples that the instrument failed on, which count neither as passed nor as failed; "problems" with
    n, c, pass@k and the verdict of every candidate; "errors", one line for every problem that could not be graded.
Examples:
    >>> module = evaluate.load("lcb_rb/metrics/pass_at_k/pass_at_k.py")
    >>> programs = [["def add(a, b): return a * b", "def add(a, b): return a + b"]]
    >>> result = module.compute(predictions=programs, references=["assert add(2, 3) == 5"], k=[1, 2])
    >>> result["pass@1"], result["pass@2"]
    (0.5, 1.0)
"""

_CITATION = """
@article{chen2021evaluating,
  title={Evaluating Large Language Models Trained on Code},
  author={Mark Chen and others},
  journal={arXiv preprint arXiv:2107.03374},
  year={2021}
}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class PassAtK(evaluate.Metric):  # type: ignore[misc]
    """Adapter from `evaluate` to `lcb_rb`."""

    def _info(self):  # type: ignore[no-untyped-def]
        features = {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(features),
            reference_urls=["https://arxiv.org/abs/2107.03374"],
            license="Apache-2.0",
        )

    def _compute(self, predictions, references, k=(1, 10, 100), num_workers=None, timeout=3.0):  # type: ignore[no-untyped-def]
        limits = Limits(cpu_s=timeout)
        return grade_candidates(
            predictions, references, list(k), lambda items: grade_many(items, workers=num_workers, limits=limits)
        )
