"""Fits the rows of a table with missing values with statsmodels and scikit-learn, and prints what they find as JSON.

Usage: missing.py TABLE.csv L2

`age` and `income` are imputed by `SimpleImputer(strategy="mean", add_indicator=True)` of scikit-learn and then scaled by the
mean and the population standard deviation of the values that are there; a missing `job` is a category of its own.
`unpenalised` leaves the first level of `job` out, and `penalised` keeps all.
"""

import json
import sys

import numpy
import pandas
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from statsmodels.api import Logit, add_constant

NUMBERS = ["age", "income"]


def inputs(table, drop_first):
    imputer = SimpleImputer(strategy="mean", add_indicator=True).set_output(transform="pandas")
    filled = imputer.fit_transform(table[NUMBERS])
    known = table[NUMBERS]
    numbers = (filled[NUMBERS] - known.mean()) / known.std(ddof=0)
    gaps = filled.drop(columns=NUMBERS).astype(float)
    gaps.columns = [f"{name}=missing" for name in NUMBERS]
    levels = table[["job"]].fillna("missing")
    levels = pandas.get_dummies(levels, prefix_sep="=", drop_first=drop_first, dtype=float)
    return pandas.concat([numbers, gaps, levels], axis=1)


def main():
    table = pandas.read_csv(sys.argv[1], keep_default_na=False, na_values=[""])
    design = add_constant(inputs(table, drop_first=True), prepend=False)
    fit = Logit(table["label"], design).fit(disp=0, tol=1e-12, maxiter=100)
    unpenalised = {
        name: {"coefficient": fit.params[name], "standard_error": fit.bse[name]} for name in design.columns
    }
    design = inputs(table, drop_first=False)
    model = LogisticRegression(C=1 / (float(sys.argv[2]) * len(table)), solver="newton-cholesky", tol=1e-12, max_iter=200)
    model.fit(design, table["label"])
    penalised = dict(zip(design.columns, model.coef_[0])) | {"const": model.intercept_[0]}
    found = {"unpenalised": unpenalised, "penalised": penalised}
    json.dump(found, sys.stdout, default=lambda value: numpy.asarray(value).item())


main()
