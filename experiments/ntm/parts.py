"""What the paper is made of: a network on a task each, their comparisons, the searches. Light: no JAX."""

from lib.run.paper import Part

TASKS = ("copy", "repeat_copy", "associative_recall", "ngrams", "priority_sort")
MODELS = ("feedforward", "lstm", "baseline")
"""The NTM with either controller; the LSTM without memory."""

_COVERS = {
    "copy": "Copy (Figures 3 to 6)",
    "repeat_copy": "Repeat copy (Figures 7 to 9)",
    "associative_recall": "Associative recall (Figures 10 to 12)",
    "ngrams": "Dynamic N-grams (Figures 13 to 15)",
    "priority_sort": "Priority sort (Figures 16 to 18)",
}
_MEASURED = {
    "copy": (
        *("exact_*", "wrong_*", "bits_*"),
        *("focus", "step_of_one", "read_where_written"),
    ),
    "repeat_copy": ("exact_*", "wrong_*", "bits_*"),
    "associative_recall": ("bits_*",),
    "ngrams": ("above_optimal",),
    "priority_sort": ("linear", "linear_shuffled"),
}
"""Of each network, beside what every task has."""
COMPARED = {task: "times_faster" for task in TASKS[:3]} | {task: "bits_saved" for task in TASKS[3:]}
"""Of each NTM beside the LSTM without memory; nothing comes below a bit on the last two tasks."""
_TAKES = {
    "copy": "half an hour (NTM) or 2 h (LSTM without memory) on two cores",
    "repeat_copy": "1.5 h (NTM) or more (LSTM without memory) on two cores",
    "associative_recall": "half an hour (NTM) or more (LSTM without memory) on two cores",
    "ngrams": "2.5 h on two cores",
}
"""A million sequences, from the times that `laptop` and single updates took; `laptop`'s LSTMs are smaller."""


def _network(task: str, kind: str) -> Part:
    """Trains one network on one task, and tests it."""
    measured = ("bits", "sequences", "parameters", *_MEASURED[task])
    return Part(
        _COVERS[task],
        tuple(f"{task}_{kind}_{name}" for name in measured),
        needs=("ngrams_optimal",) * (task == "ngrams"),
        data=(task,),
        default=lambda config: task in config.tasks and kind in config.models,
        takes={"paper": _TAKES[task]} if task in _TAKES else {},
    )


def _search(task: str, kind: str) -> Part:
    """Trains one network on one task at each of the learning rates `tried`."""
    return Part(
        f"{_COVERS[task].partition(' (')[0]}: the learning rates tried",
        (f"{task}_{kind}_at_*",),
        data=(task,),
        default=lambda config: False,
    )


def _comparison(task: str) -> Part:
    """What the three networks of a task are beside each other."""
    return Part(
        _COVERS[task],
        (f"{task}_*_{COMPARED[task]}", f"{task}_compared_cost"),
        needs=tuple(f"{task}_{kind}" for kind in MODELS),
        data=(task,),
        default=lambda config: task in config.tasks and set(config.models) == set(MODELS),
        takes={"paper": _TAKES[task]} if task in _TAKES else {},
    )


def _parts() -> dict[str, Part]:
    parts = {}
    for task in TASKS:
        if task == "ngrams":
            parts["ngrams_optimal"] = Part(
                "The optimal estimator of N-grams (section 4.4)",
                ("ngrams_optimal_*",),
                data=("ngrams",),
                default=lambda config: "ngrams" in config.tasks,
            )
        parts |= {f"{task}_{kind}_search": _search(task, kind) for kind in MODELS}
        parts |= {f"{task}_{kind}": _network(task, kind) for kind in MODELS}
        parts[task] = _comparison(task)
    return parts


PARTS = _parts()
