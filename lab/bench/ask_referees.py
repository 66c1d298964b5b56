"""
Runs in the referees' own environment: one question as JSON on standard input, the answer as the last line printed.

    {"of": "pycanon", "file": ..., "delimiter": ";", "quasi": [...], "sensitive": [...]}
    {"of": "anjana", "file": ..., "hierarchies": {column: file}, "sensitive": ..., "k": 5, "l": null, "t": null,
     "limit": 10}
"""

import argparse
import json
import sys
import time
from typing import Any

import pandas as pd
import pycanon.anonymity as canon
from anjana import anonymity as anjana


def by_pycanon(asked: dict[str, Any]) -> dict[str, Any]:
    """What pyCANON measures in a file, each sensitive column by itself."""
    table = pd.read_csv(asked["file"], sep=asked["delimiter"], dtype=str, keep_default_na=False)
    found: dict[str, Any] = {"k": int(canon.k_anonymity(table, asked["quasi"])), "rows": len(table)}
    for name in asked["sensitive"]:
        found[name] = {
            "l": int(canon.l_diversity(table, asked["quasi"], [name])),
            "entropy_l": int(canon.entropy_l_diversity(table, asked["quasi"], [name])),
            "t": float(canon.t_closeness(table, asked["quasi"], [name])),
        }
    return found


def by_anjana(asked: dict[str, Any]) -> dict[str, Any]:
    """What ANJANA releases, how long it computes, and the loss of that by the hierarchies."""
    table = pd.read_csv(asked["file"], sep=";", dtype=str, keep_default_na=False)
    hierarchies: dict[str, dict[int, Any]] = {}
    losses: dict[str, dict[str, float]] = {}
    for name, path in asked["hierarchies"].items():
        lines = pd.read_csv(path, sep=";", header=None, dtype=str, keep_default_na=False)
        hierarchies[name] = {level: lines[level].to_numpy() for level in lines.columns}
        losses[name] = {}
        for level in lines.columns:
            for value, leaves in lines[level].value_counts().items():
                losses[name].setdefault(value, (leaves - 1) / (len(lines) - 1))
    quasi = list(hierarchies)
    begin = time.process_time()
    if asked["l"] is not None:
        out = anjana.l_diversity(
            table, [], quasi, asked["sensitive"], asked["k"], asked["l"], asked["limit"], hierarchies
        )
    elif asked["t"] is not None:
        out = anjana.t_closeness(
            table, [], quasi, asked["sensitive"], asked["k"], asked["t"], asked["limit"], hierarchies
        )
    else:
        out = anjana.k_anonymity(table, [], quasi, asked["k"], asked["limit"], hierarchies)
    seconds = time.process_time() - begin
    lost = sum(out[name].map(losses[name]).sum() for name in quasi)
    lost += (len(table) - len(out)) * len(quasi)
    return {"seconds": seconds, "loss": float(lost / len(table) / len(quasi)), "rows": len(out)}


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    question = json.load(sys.stdin)
    answer = by_pycanon(question) if question["of"] == "pycanon" else by_anjana(question)
    print(json.dumps(answer))
