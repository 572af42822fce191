"""Scores a table with an exported model in onnxruntime, and compares with the scores that `syndic score` wrote.

Usage: runtime.py MODEL.onnx TABLE.csv.gz SCORES.csv NUMBER_COLUMN LEVEL_COLUMN

Prints as JSON how many rows were compared, the largest difference, what becomes of a row that breaks the contract: with
a number out of range, and with an unknown level; and of a scorecard how many rows have other points.
"""

import csv
import gzip
import json
import math
import sys

import numpy
import onnxruntime


def feeds_of(session, rows):
    """One array of N x 1 for each input of the model."""
    feeds = {}
    for expected in session.get_inputs():
        kind = numpy.float64 if expected.type == "tensor(double)" else object
        texts = [row[expected.name] for row in rows]
        # A missing number is NaN, a missing level the empty text.
        cells = [kind(text or "nan") for text in texts] if kind is numpy.float64 else texts
        feeds[expected.name] = numpy.array(cells, dtype=kind).reshape(-1, 1)
    return feeds


def main():
    model, table, scores, number, level = sys.argv[1:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with (gzip.open if table.endswith(".gz") else open)(table, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(scores, newline="") as file:
        scored = list(csv.DictReader(file))
    ours = numpy.array([float(row["probability"]) for row in scored])
    theirs, labels = (values.reshape(-1) for values in session.run(["probability", "label"], feeds_of(session, rows)))
    assert len(ours) == len(theirs) == len(rows)
    assert not numpy.isnan(theirs).any()
    sure = abs(ours - 0.5) > 1e-6
    assert ((labels == 1) == (ours >= 0.5))[sure].all()
    broken = [dict(rows[0], **{number: "1e9"}), dict(rows[0], **{level: "none of the levels"}), rows[0]]
    refused, refused_labels = session.run(["probability", "label"], feeds_of(session, broken))
    points_differ = None
    if "points" in scored[0]:
        points = session.run(["points"], feeds_of(session, rows))[0].reshape(-1)
        points_differ = int((points != numpy.array([int(row["points"]) for row in scored])).sum())
        without = numpy.isnan(session.run(["points"], feeds_of(session, broken))[0].reshape(-1))
        assert (without == numpy.isnan(refused.reshape(-1))).all()
    metadata = session.get_modelmeta().custom_metadata_map
    json.dump(
        {
            "rows": len(rows),
            "largest": float(abs(ours - theirs).max()),
            "refused": [None if math.isnan(p) else float(p) for p in refused.reshape(-1)][:2],
            "refused_labels": refused_labels.reshape(-1).tolist()[:2],
            "kept": float(abs(refused[2, 0] - theirs[0])),
            "job": metadata["syndic.job"],
            "points_differ": points_differ,
        },
        sys.stdout,
    )


main()
