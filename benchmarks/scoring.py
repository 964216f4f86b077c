"""Pairs per CPU second of our batched scoring against the loop that benchmarks of reward models usually have.

    python benchmarks/scoring.py --pairs 400 --rounds 3 --rewardbench PYTHON --out benchmarks/results/scoring

All score the same random pairs with the same random Qwen2 classifier on the same number of threads. The loop takes
batches of 8 in the order of the data, pads them on the left, runs the chosen and then the rejected side, and lets the
model's own head find its token among the logits of all. Ours is `ClassifierScorer`. PYTHON is an interpreter that can
import rewardbench; it needs other versions than we do. Each run is a fresh process.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from meter import own_descendants
from runs import MissingError, Row, measure, provenance
from scoring_systems import MIXES, WORDS

from lcb_rb.writing import write_text

VOCAB = 8000
SYSTEM = Path(__file__).with_name("scoring_systems.py")
"""Runs one job; see there for the mixes of lengths."""


def make_model(directory: Path, size: str, seed: int) -> None:
    """Saves the random model and a tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    from recode_models.fresh import train_tokenizer

    torch.manual_seed(seed)
    tokenizer = train_tokenizer(WORDS, VOCAB)
    tokenizer.save_pretrained(directory)
    hidden, layers = {"tiny": (64, 2), "small": (256, 4)}[size]
    config = Qwen2Config(
        vocab_size=VOCAB,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.1,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForSequenceClassification(config).save_pretrained(directory)
    named = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    named["tokenizer_class"] = "PreTrainedTokenizerFast"  # the one name that older transformers know, too
    write_text(directory / "tokenizer_config.json", json.dumps(named))


def summarised(mix: str, pairs: int, rounds: list[dict[str, Row]]) -> Row:
    """Returns medians of a mix, and how far the scores of the systems are apart."""
    row: Row = {"mix": mix, "pairs": pairs}
    systems = sorted(rounds[0], key=["ours", "naive", "rewardbench"].index)
    for system in systems:
        runs = [found[system] for found in rounds]
        row[system] = {
            "pairs_per_cpu_s": pairs / statistics.median(run["cpu_s"] for run in runs),
            "peak_mb": statistics.median(run["peak_mb"] for run in runs),
            "before_mb": statistics.median(run["before_mb"] for run in runs),
        }
        if system != "ours":
            row[system] |= _against(row["ours"]["peak_mb"], row[system]["peak_mb"], system, rounds)
    row["score_sd"] = statistics.stdev(rounds[0]["ours"]["scores"])
    row["foreign_cpu_s"] = max(run["foreign_cpu_s"] for found in rounds for run in found.values())
    return row


def _against(own_mb: float, its_mb: float, system: str, rounds: list[dict[str, Row]]) -> Row:
    """Returns how much faster and smaller ours is than a system, and how far any two of their scores are apart."""
    sides = [found[name]["scores"] for found in rounds for name in ("ours", system)]
    return {
        "speedup": statistics.median(found[system]["cpu_s"] / found["ours"]["cpu_s"] for found in rounds),
        "memory_ratio": own_mb / its_mb,
        "max_score_difference": max(max(each) - min(each) for each in zip(*sides, strict=True)),
    }


def table(rows: list[Row]) -> str:
    """Returns one line a mix and system, as markdown."""
    lines = [
        "| mix | against | ours, pairs/CPU s | it | ratio | ours, peak MiB | it | ratio | max difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = row["ours"]
        for name in ("naive", "rewardbench"):
            if name in row:
                it = row[name]
                speed = f"{own['pairs_per_cpu_s']:.1f} | {it['pairs_per_cpu_s']:.1f} | {it['speedup']:.1f}"
                memory = f"{own['peak_mb']:.0f} | {it['peak_mb']:.0f} | {it['memory_ratio']:.2f}"
                lines.append(f"| {row['mix']} | {name} | {speed} | {memory} | {it['max_score_difference']:.1e} |")
    return "\n".join(lines) + "\n"


def run_of(python: str, job: Row) -> Row:
    """Returns what a run of a system took.

    Raises:
        MissingError: the interpreter cannot import what the system needs.
    """
    found = measure(SYSTEM, job, python)
    if "missing" in found:
        raise MissingError(f"{job['system']}: {found['missing']}")
    return found


def main() -> None:
    """Measures in rounds, the systems in turn, in another order each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", choices=["tiny", "small"], default="tiny")
    parser.add_argument("--mixes", nargs="+", choices=list(MIXES), default=list(MIXES))
    parser.add_argument("--rewardbench", metavar="PYTHON", help="Interpreter that can import it; left out without.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Without .json and .md; none is written when left out.")
    arguments = parser.parse_args()
    own_descendants()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    pythons = {"ours": sys.executable, "naive": sys.executable}
    if arguments.rewardbench:
        pythons["rewardbench"] = arguments.rewardbench
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        make_model(Path(directory), arguments.size, arguments.seed)
        common = {"model": directory, "pairs": arguments.pairs, "seed": arguments.seed, "threads": arguments.threads}
        for mix in arguments.mixes:
            rounds = []
            for number in range(arguments.rounds):
                order = list(pythons) if number % 2 else list(pythons)[::-1]
                rounds.append({name: run_of(pythons[name], {**common, "mix": mix, "system": name}) for name in order})
            rows.append(summarised(mix, arguments.pairs, rounds))
    shown = table(rows)
    if arguments.out:
        settings = {"size": arguments.size, "threads": arguments.threads, "seed": arguments.seed}
        report = {**provenance(arguments.rounds), **settings, "summary": rows}
        write_text(arguments.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
        write_text(arguments.out.with_suffix(".md"), shown)
    sys.stdout.write(shown)


if __name__ == "__main__":
    main()
