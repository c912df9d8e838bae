# SPDX-License-Identifier: Apache-2.0
"""Compares what attacks came to on real kernels with the simulated kernel, cell by cell.

A cell is vector, boot, delivery mode, enforcement and target. The simulated side is the JSON of
`cloudtaser simulate --matrix`; the real side are the `verdict` messages of the guest's suite `vectors`.
"""
import json

# The attacker got the secret, control, a setting or facts, or past every check.
GAINS = ("leaked", "controlled", "changed", "informed", "passed")
SIMULATED_GAINS = ("exposed", "detected")
# open(2) of a file under /proc turns a program's EPERM into EACCES on some kernels.
SAME_REFUSAL = {"EACCES": "EPERM"}
KEY = ("id", "profile", "delivery", "enforcement", "target")


def simulated_cells(path):
    with open(path, encoding="utf-8") as file:
        matrix = json.load(file)
    return {tuple(cell[name] for name in KEY): cell
            for cell in matrix["cells"]}


def compare(runs, cells):
    """Keys of the cells compared, and one line for each disagreement."""
    compared, wrong = [], []
    for run in runs:
        for message in run.verdicts:
            key = (message["id"], run.boot["name"], message["delivery"],
                   message["enforcement"], message["target"])
            if message["outcome"] == "unavailable" or not message.get("simulated", True):
                continue
            cell = cells.get(key)
            if cell is None:
                wrong.append(f"{' '.join(key)}: the simulator has no such cell")
                continue
            compared.append(key)
            if disagrees(message, cell):
                wrong.append(
                    f"{' '.join(key)}: the kernel says {message['outcome']} "
                    f"{message['errorName']} ({message['detail']}), the simulator "
                    f"{cell['verdict']} {cell['errorName'] or ''} ({cell['reason']})")
    return compared, wrong


def inverted(cells):
    """The same cells with every verdict turned round: a comparison must refuse each of them."""
    return {key: {**cell, "verdict": "blocked" if cell["verdict"] in SIMULATED_GAINS
                  else "exposed"} for key, cell in cells.items()}


def disagrees(message, cell):
    gained = message["outcome"] in GAINS
    if gained != (cell["verdict"] in SIMULATED_GAINS):
        return True
    if message["outcome"] != "refused" or cell["verdict"] != "blocked":
        return False
    # Nobody is left who could have seen an error number.
    if message["enforcement"] == "deny+kill":
        return False
    real, derived = message["errorName"], cell["errorName"]
    return derived is not None and SAME_REFUSAL.get(real, real) != SAME_REFUSAL.get(
        derived, derived)


def write_cells(compared, minimum, path):
    """The cells for the matrix's page; the product's enforcement modes only."""
    rows = [dict(zip(KEY, key)) for key in sorted(compared)]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{\n "minimum": {minimum},\n "cells": [\n')
        file.write(",\n".join("  " + json.dumps(row) for row in rows))
        file.write("\n ]\n}\n")


def committed_minimum(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["minimum"]
