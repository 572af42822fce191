"""An external trainer in numpy: logistic regression by mini-batch gradient descent.

    python trainer.py --socket trainer/socket

The job's tensors are `weights`, one for each input, and `intercept`, which is added to the federation's base rate. Its
settings are `learning_rate`, `decay` (of the rate after each round), `local_epochs`, `batch_size` and `l2`: those of
Syndic's own `fed-avg`, and the same steps.
"""

import numpy as np

from syndic_trainer import serve


def train(task):
    """One round on this institution's rows: the change of each tensor, and what the institution's log is told."""
    settings, x, y = task.settings, task.inputs(), task.labels
    weights, intercept = task.parameters["weights"].copy(), float(task.parameters["intercept"])
    rate = settings["learning_rate"] * settings.get("decay", 1.0) ** (task.round - 1)
    l2, batch_size = settings.get("l2", 0.0), settings.get("batch_size", 32)
    order, random = np.arange(task.rows), np.random.default_rng(task.seed)
    for _ in range(settings.get("local_epochs", 1)):
        random.shuffle(order)
        for start in range(0, task.rows, batch_size):
            rows = order[start : start + batch_size]
            slope = probabilities(task, x[rows], weights, intercept) - y[rows]
            weights -= rate * (x[rows].T @ slope / len(rows) + l2 * weights)
            intercept -= rate * slope.mean()
    update = {
        "weights": weights - task.parameters["weights"],
        "intercept": intercept - task.parameters["intercept"],
    }
    return update, {"train_log_loss": log_loss(probabilities(task, x, weights, intercept), y)}


def score(task):
    """The probability of a positive for each row."""
    return probabilities(task, task.inputs(), task.parameters["weights"], float(task.parameters["intercept"]))


def probabilities(task, x, weights, intercept):
    log_odds = task.base_log_odds() + intercept + x @ weights
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -500.0, 500.0)))


def log_loss(probability, y):
    probability = np.clip(probability, 1e-15, 1.0 - 1e-15)
    return -np.mean(y * np.log(probability) + (1.0 - y) * np.log(1.0 - probability))


if __name__ == "__main__":
    serve("numpy-logistic", "1", train, score, takes_missing=True)
