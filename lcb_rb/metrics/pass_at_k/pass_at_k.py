"""pass@k of candidate programs as a module of `evaluate`; the work is done by the package lcb-rb."""

import os

import datasets
import evaluate

from lcb_rb.metrics.candidates import grade_candidates, program_lists, reference_texts  # From: lcb-rb

_DESCRIPTION = """
The chance that at least one of k candidate programs passes the tests of its problem, estimated without bias.
Takes the inputs of the module code_eval. Candidates run in isolated processes that never hold the tests.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: For every problem a list of candidate programs; None where one is missing.
    references: For every problem its test code, such as "assert add(2, 3) == 5" or a `check(candidate)` followed by
        `check(add)`; or tests or a problem of lcb-rb as JSON.
    k: Numbers of samples drawn; one above the candidates of a problem is an error. When it is left out: those of
        1, 10 and 100 that every problem has enough candidates for.
    num_workers: Candidates graded at a time; by default one and a half for each CPU.
    timeout: CPU time of one test of kind stdin or call, and of all of a test code, seconds.
Returns:
    Two values. A dict: "pass@k" for every k (None when no problem has enough graded candidates), "intervals" (95 %,
    None below two problems), "n_problems" and "n_unscored" behind each k, "n_samples", "n_ungraded" (candidates that
    could not be judged: neither passed nor failed), "problems", "errors". And a dict from the number of the problem to
    its candidates: (number, result with "task_id", "passed", "result", "completion_id", "verdict", "message"...).
Examples:
    >>> os.environ["HF_ALLOW_CODE_EVAL"] = "1"
    >>> module = evaluate.load("recode/pass_at_k")
    >>> programs = [["def add(a, b): return a * b", "def add(a, b): return a + b"]]
    >>> scores, results = module.compute(predictions=programs, references=["assert add(2, 3) == 5"], k=[1, 2])
    >>> scores["pass@1"], scores["pass@2"]
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

_CONSENT = """pass_at_k runs programs that a model wrote, and was not told that it may.
Every program runs in a process of its own without network, other files or other processes, with limits on time, memory
and output; a machine that cannot shut programs in is refused. What remains is the risk of a hole in the Linux kernel or
in this isolation: run it where nothing is that you cannot lose, for example in a container or a virtual machine.
If you accept that, set the environment variable HF_ALLOW_CODE_EVAL to "1":
    import os
    os.environ["HF_ALLOW_CODE_EVAL"] = "1"
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

    def add_batch(self, *, predictions, references, **others):  # type: ignore[no-untyped-def]
        """Adds candidates and test code of some problems."""
        programs, texts = program_lists(predictions, len(self)), reference_texts(references, len(self))
        super().add_batch(predictions=programs, references=texts, **others)

    def add(self, *, prediction, reference, **others):  # type: ignore[no-untyped-def]
        """Adds candidates and test code of one problem."""
        programs, texts = program_lists([prediction], len(self)), reference_texts([reference], len(self))
        super().add(prediction=programs[0], reference=texts[0], **others)

    def _compute(self, predictions, references, k=None, num_workers=None, timeout=3.0):  # type: ignore[no-untyped-def]
        if os.environ.get("HF_ALLOW_CODE_EVAL") != "1":
            raise ValueError(_CONSENT)
        return grade_candidates(predictions, references, k, num_workers=num_workers, timeout=timeout)
