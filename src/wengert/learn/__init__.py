"""`wg.fit`: one call trains a model; and what it reads, writes and returns.

    result = wg.fit(model, loss, (x, y), wg.optim.Adam(1e-3), epochs=10, validation=0.2)

A model is any container of arrays, a loss any function of the model and a batch that returns one number.
"""

from wengert.learn.checkpoints import Checkpoint, read
from wengert.learn.data import Source
from wengert.learn.fitting import Result, every, fit
from wengert.learn.history import History
from wengert.learn.loop import Moment
from wengert.learn.metrics import accuracy, binary_accuracy, mean_absolute_error
from wengert.learn.tables import Table, table

__all__ = [
    "Checkpoint",
    "History",
    "Moment",
    "Result",
    "Source",
    "Table",
    "accuracy",
    "binary_accuracy",
    "every",
    "fit",
    "mean_absolute_error",
    "read",
    "table",
]
