"""Grows boosted trees on a table with LightGBM, and prints the probability of every row as JSON.

Usage: trees.py TABLE.csv DEPTH TREES LEARNING_RATE L2 MIN_HESSIAN

As many leaves as the depth allows, so that every place that can be split is; a bin for every value. Only the Hessian limits
leaves: LightGBM guesses their rows from it.
"""

import json
import sys

import lightgbm
import pandas


def main():
    table = pandas.read_csv(sys.argv[1])
    depth, trees, learning_rate, l2, min_hessian = sys.argv[2:]
    terms = {
        "objective": "binary",
        "max_depth": int(depth),
        "num_leaves": 2 ** int(depth),
        "learning_rate": float(learning_rate),
        "lambda_l2": float(l2),
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": float(min_hessian),
        "min_data_in_bin": 1,
        "max_bin": 255,
        "enable_bundle": False,
        "deterministic": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    inputs, labels = table.drop(columns="label"), table["label"]
    model = lightgbm.train(terms, lightgbm.Dataset(inputs, labels), num_boost_round=int(trees))
    json.dump(model.predict(inputs).tolist(), sys.stdout)


main()
