"""PSI by numpy and the Kolmogorov-Smirnov statistic by scipy, of the rows of a table, printed as JSON.

Usage: drift.py TABLE.csv EDGES.json

The table has the columns `age`, `income`, `job`, `score` and `role`; EDGES.json has for each number the inner edges of its bins, and
for `job` the levels of each bin.
"""

import json
import sys

import numpy
import pandas
from scipy.stats import ks_2samp


def psi(before, now):
    """A bin without a row counts as half a row."""
    before, now = (numpy.maximum(counts, 0.5) / counts.sum() for counts in (before, now))
    return float(((now - before) * numpy.log(now / before)).sum())


def main():
    table = pandas.read_csv(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as file:
        edges = json.load(file)
    before, now = table[table.role == "train"], table[table.role == "test"]
    found = {}
    for name in ("age", "income", "score"):
        bins = [-numpy.inf, *edges[name], numpy.inf]
        shares = [numpy.histogram(rows[name], bins)[0] for rows in (before, now)]
        found[name] = {"psi": psi(*shares), "ks": float(ks_2samp(before[name], now[name]).statistic)}
    counts = [numpy.array([rows.job.isin(levels).sum() for levels in edges["job"]]) for rows in (before, now)]
    found["job"] = {"psi": psi(*counts)}
    print(json.dumps(found))


main()
