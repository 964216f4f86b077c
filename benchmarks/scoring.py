"""Pairs per CPU second of our batched scoring against the loop that benchmarks of reward models usually have.

    python benchmarks/scoring.py --pairs 400 --rounds 3 --out benchmarks/results/scoring

Both score the same random pairs with the same random Qwen2 classifier on the same number of threads. The loop takes
batches of 8 in the order of the data, pads them on the left, runs the chosen and then the rejected side, and lets the
model's own head find its token among the logits of all. Ours is `ClassifierScorer`. Each run is a fresh process.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from meter import own_descendants
from runs import Row, measure, provenance
from scoring_systems import MIXES, WORDS

from lcb_rb.writing import write_text

SYSTEMS = ("ours", "naive")
VOCAB = 8000
SYSTEM = Path(__file__).with_name("scoring_systems.py")
"""Runs one job; see there for the mixes of lengths."""


def make_model(directory: Path, size: str, seed: int) -> None:
    """Saves the random model and a tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    from recode_models.reward_model.fresh import train_tokenizer

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


def summarised(mix: str, pairs: int, rounds: list[dict[str, Row]]) -> Row:
    """Returns medians of a mix, and how far the scores of the two are apart."""
    row: Row = {"mix": mix, "pairs": pairs}
    for system in SYSTEMS:
        runs = [found[system] for found in rounds]
        row[system] = {
            "pairs_per_cpu_s": pairs / statistics.median(run["cpu_s"] for run in runs),
            "peak_mb": statistics.median(run["peak_mb"] for run in runs),
            "before_mb": statistics.median(run["before_mb"] for run in runs),
        }
    row["speedup"] = statistics.median(found["naive"]["cpu_s"] / found["ours"]["cpu_s"] for found in rounds)
    row["memory_ratio"] = row["ours"]["peak_mb"] / row["naive"]["peak_mb"]
    sides = [found[system]["scores"] for found in rounds for system in SYSTEMS]
    row["max_score_difference"] = max(max(each) - min(each) for each in zip(*sides, strict=True))
    row["score_sd"] = statistics.stdev(sides[0])
    row["foreign_cpu_s"] = max(found[system]["foreign_cpu_s"] for found in rounds for system in SYSTEMS)
    return row


def table(rows: list[Row]) -> str:
    """Returns one line a mix, as markdown."""
    lines = [
        "| mix | ours, pairs/CPU s | loop, pairs/CPU s | ratio | ours, peak MiB | loop, peak MiB | max difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own, loop = row["ours"], row["naive"]
        speed = f"{own['pairs_per_cpu_s']:.1f} | {loop['pairs_per_cpu_s']:.1f} | {row['speedup']:.1f}"
        memory = f"{own['peak_mb']:.0f} | {loop['peak_mb']:.0f}"
        lines.append(f"| {row['mix']} | {speed} | {memory} | {row['max_score_difference']:.1e} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures in rounds, the systems in turn, the other one first each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", choices=["tiny", "small"], default="tiny")
    parser.add_argument("--mixes", nargs="+", choices=list(MIXES), default=list(MIXES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Without .json and .md; none is written when left out.")
    arguments = parser.parse_args()
    own_descendants()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        make_model(Path(directory), arguments.size, arguments.seed)
        common = {"model": directory, "pairs": arguments.pairs, "seed": arguments.seed, "threads": arguments.threads}
        for mix in arguments.mixes:
            rounds = []
            for number in range(arguments.rounds):
                order = SYSTEMS if number % 2 else SYSTEMS[::-1]
                rounds.append({name: measure(SYSTEM, {**common, "mix": mix, "system": name}) for name in order})
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
