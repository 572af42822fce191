"""The protocol of an external trainer (proto/syndic/trainer/v1/trainer.proto), for trainers written in Python.

Copy this file and the proto beside your own trainer and call `serve` with two functions of your own: trainer.py does, and
README.md explains. It needs grpcio, grpcio-tools (which reads the proto when the trainer starts) and numpy.
"""

import argparse
import json
import os
import signal
import sys
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np

HERE = Path(__file__).resolve().parent
PROTO = "syndic/trainer/v1/trainer.proto"
# Beside this file, or where it lies in Syndic's own source.
sys.path += [str(HERE), str(HERE.parents[1] / "proto" / "proto")]
pb, services = grpc.protos_and_services(PROTO)

# Bytes of numbers in one message; gRPC takes 4 MiB at most.
PART_BYTES = 1 << 20


@dataclass
class Task:
    """What is asked for: a model, and rows to train on or to score."""

    job: str
    contract: str
    settings: dict  # `[program.settings]` of the job
    columns: list  # of the proto's Column, in order
    parameters: dict  # name of a tensor: its numbers before this round
    values: list  # of each column: floats, or positions of levels; `missing` says which of them are none
    labels: np.ndarray | None  # 1.0 of a positive, else 0.0; none where rows are scored
    rows: int
    federation_rows: int
    federation_positives: int
    round: int | None  # from 1; none where rows are scored
    seed: int | None
    clip: float | None
    seconds: float  # how long the agent waits

    def inputs(self):
        """Rows by inputs: each numeric column standardised, and a 0/1 input for each level of the others.

        In a nullable column a missing number is the mean of all institutions, 0 once standardised, and a 0/1 input behind it
        says that it was missing; a missing level is a 0/1 input behind those of the levels.
        """
        blocks = []
        for k, (column, values) in enumerate(zip(self.columns, self.values)):
            if column.WhichOneof("kind") == "numeric":
                missing, numeric = self.missing(k), column.numeric
                blocks.append(np.where(missing, 0.0, (values - numeric.mean) / numeric.deviation)[:, None])
                if column.nullable:
                    blocks.append(missing[:, None].astype(float))
            else:
                positions = np.arange(len(column.categorical.levels) + column.nullable)
                blocks.append((values[:, None] == positions).astype(float))
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((self.rows, 0))

    def missing(self, k):
        """Which values of column `k` are missing: a NaN, or the position behind the last level. None of a column that is not
        nullable."""
        column, values = self.columns[k], self.values[k]
        if column.WhichOneof("kind") == "numeric":
            return np.isnan(values)
        return values == len(column.categorical.levels)

    def base_log_odds(self):
        """Log-odds of a positive over the training rows of all institutions."""
        return float(np.log(self.federation_positives / (self.federation_rows - self.federation_positives)))


def serve(name, version, train, score, takes_missing=False):
    """Serves until SIGTERM or SIGINT, on the socket that the command line names.

    `train(task)` returns the change of each tensor by name, and metrics by name; `score(task)` the probability of a positive
    for each row. `takes_missing`: whether both know what to make of missing values, as they do where they take `task.inputs()`;
    without it no job with nullable columns gets this far.
    """
    arguments = argparse.ArgumentParser(description=f"the external trainer {name}/{version}")
    arguments.add_argument("--socket", required=True, type=Path, help="the Unix socket to listen on")
    socket = arguments.parse_args().socket.resolve()
    # Nobody else may enter the folder, or use the socket.
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o177)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    services.add_TrainerServicer_to_server(_Trainer(name, version, train, score, takes_missing), server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    print(f"{name}/{version} listens on {socket}", flush=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop(grace=None))
    server.wait_for_termination()


class _Trainer(services.TrainerServicer):
    def __init__(self, name, version, train, score, takes_missing):
        self.name, self.version, self.train, self.score = name, version, train, score
        self.takes_missing = takes_missing

    def Describe(self, request, context):
        return pb.Description(
            name=self.name, version=self.version, trains=True, scores=True, takes_missing=self.takes_missing
        )

    def Train(self, parts, context):
        task = _task(parts)
        update, metrics = self.train(task)
        for name, value in metrics.items():
            yield pb.TrainedPart(metric=pb.Metric(name=name, value=float(value)))
        for tensor, (name, before) in enumerate(task.parameters.items()):
            change = np.asarray(update[name], dtype="<f8")
            if change.shape != before.shape:
                raise ValueError(f"the update of {name} has shape {change.shape}, not {before.shape}")
            for part in _parts(change):
                yield pb.TrainedPart(update=pb.TensorPart(tensor=tensor, values=part))

    def Score(self, parts, context):
        task = _task(parts)
        for part in _parts(np.asarray(self.score(task), dtype="<f8")):
            yield pb.ScoredPart(probabilities=part)


def _parts(numbers):
    data = np.ascontiguousarray(numbers).tobytes()
    return (data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES))


def _task(parts):
    """All parts of a request as one task."""
    asked, tensors, columns, labels = None, {}, [], []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "task":
            asked = part.task
            columns = [[] for _ in asked.model.columns]
        elif kind == "parameters":
            tensors.setdefault(part.parameters.tensor, []).append(part.parameters.values)
        elif kind == "rows":
            for column, values in zip(columns, part.rows.columns):
                column.append(values)
            labels.append(part.rows.labels)
    model = asked.model
    trains = hasattr(asked, "round")

    def numbers(tensor, shape):
        return np.frombuffer(b"".join(tensors.get(tensor, [])), dtype="<f8").reshape(shape)

    def values(column, data):
        is_numeric = column.WhichOneof("kind") == "numeric"
        return np.frombuffer(b"".join(data), dtype="<f8" if is_numeric else "<u2")

    return Task(
        job=model.job,
        contract=model.contract,
        settings=json.loads(model.settings),
        columns=list(model.columns),
        parameters={of.name: numbers(k, tuple(of.shape)) for k, of in enumerate(model.tensors)},
        values=[values(column, data) for column, data in zip(model.columns, columns)],
        labels=np.frombuffer(b"".join(labels), dtype="u1").astype(float) if trains else None,
        rows=asked.rows,
        federation_rows=model.federation_rows,
        federation_positives=model.federation_positives,
        round=asked.round if trains else None,
        seed=asked.seed if trains else None,
        clip=asked.clip if trains else None,
        seconds=asked.seconds,
    )
