"""Fits the rows of a table with statsmodels and scikit-learn, and prints what they find as JSON.

Usage: fits.py TABLE.csv L2

Numbers are standardised by mean and population standard deviation; the levels of `job` and `region` become 0/1
inputs in the order of the alphabet. `unpenalised` leaves the first level of each out, and `penalised` keeps all.
"""

import json
import sys

import numpy
import pandas
from sklearn.linear_model import LogisticRegression
from statsmodels.api import Logit, add_constant
from statsmodels.stats.outliers_influence import variance_inflation_factor

NUMBERS, LEVELS = ["age", "income", "debt"], ["job", "region"]


def inputs(table, drop_first, standardised=True):
    numbers = table[NUMBERS]
    if standardised:
        numbers = (numbers - numbers.mean()) / numbers.std(ddof=0)
    levels = pandas.get_dummies(table[LEVELS], prefix_sep="=", drop_first=drop_first, dtype=float)
    return pandas.concat([numbers, levels], axis=1)


def unpenalised(table):
    """Coefficients, standard errors, z, p and variance inflation factors of maximum likelihood; coefficients also of raw numbers."""
    design = add_constant(inputs(table, drop_first=True), prepend=False)
    fit = Logit(table["label"], design).fit(disp=0, tol=1e-12, maxiter=100)
    raw = add_constant(inputs(table, drop_first=True, standardised=False), prepend=False)
    raw = Logit(table["label"], raw).fit(disp=0, tol=1e-12, maxiter=100)
    factors = [variance_inflation_factor(design.values, k) for k in range(design.shape[1] - 1)]
    return {
        name: {
            "coefficient": fit.params[name],
            "per_unit": raw.params[name],
            "standard_error": fit.bse[name],
            "z": fit.tvalues[name],
            "p": fit.pvalues[name],
            "vif": factors[k] if k < len(factors) else None,
        }
        for k, name in enumerate(design.columns)
    }


def penalised(table, l2, class_weight=None):
    """Coefficients with a penalty l2/2 on the squared weights beside the mean log-loss, weighted by class."""
    design = inputs(table, drop_first=False)
    strength = 1 / (l2 * len(table))
    model = LogisticRegression(C=strength, class_weight=class_weight, solver="newton-cholesky", tol=1e-12, max_iter=200)
    model.fit(design, table["label"])
    return dict(zip(design.columns, model.coef_[0])) | {"const": model.intercept_[0]}


def main():
    table, l2 = pandas.read_csv(sys.argv[1]), float(sys.argv[2])
    found = {
        "unpenalised": unpenalised(table),
        "penalised": penalised(table, l2),
        "balanced": penalised(table, l2, "balanced"),
        "positives_thrice": penalised(table, l2, {0: 1, 1: 3}),
    }
    json.dump(found, sys.stdout, default=lambda value: numpy.asarray(value).item())


main()
