"""Why a rewrite or a judged item is dropped; free of imports, so that any table of reasons can hold these."""

GATE_REASONS = {
    "rewrite_unanswered": "the endpoint gave no answer to the request for the rewrite",
    "rewrite_refused": "the model refused to write it",
    "rewrite_cut": "the model's answer was cut at its most tokens",
    "rewrite_unparsed": "the answer does not hold one text between <rewrite> and </rewrite>",
    "no_prose": "the rewrite has no prose, or markers of the request are left in it",
    "meta_talk": "it speaks of the rewriting",
    "unchanged": "it is the original, white space and case aside",
    "length_ratio": "it is too long or too short beside its partner, once asked for anew too",
    "language": "it is in another language or script than the original",
    "format": "its headings, lists, tables, code blocks, formulas or number of lines are not those of the original",
    "leaks_verdict": "it says whether the solution is right, accepted, or spoiled",
    "leaks_code": "it holds code that the original lacks",
    "only_wording": "meant to be worse, it makes the claims of the original in other words",
    "near_copy": "nearly the same as another reasoning of the problem, or variant of the sample",
    "judge_disagrees": "the judges do not agree, or not on the side that is meant to be better",
    "judged_incorrect": "its code is accepted, but the judges find the reasoning wrong",
    "judged_inconsistent": "the judges find that the code does something else than the reasoning says",
    "judged_correct": "its code failed, but the judges find the reasoning right",
    "unjudged": "a judge gave no answer",
}
"""Every reason, and what it means."""
