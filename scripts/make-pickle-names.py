"""Writes src/scanning/pickle/listed-names.ts: names that pickles of scikit-learn, torch and torchvision consist of.

Run with an interpreter that has torch, scikit-learn and joblib; `--torchvision FILE` adds what another interpreter
printed with `--print-torchvision`. scikit-learn: every estimator is fitted on toy data, and what its pickles
import is listed with what they do with it. torch and torchvision: the modules, optimizers and schedulers.
"""

import argparse
import inspect
import io
import json
import pickle
import pkgutil
import sys
import warnings
from collections import defaultdict

TARGET = "src/scanning/pickle/listed-names.ts"
# They have rules of their own in allow-list.ts, or load what they are given.
RULED = (
    "builtins",
    "__builtin__",
    "copyreg",
    "copy_reg",
    "_codecs",
    "collections",
    "datetime",
    "numpy",
    "joblib",
    "torch",
    "operator",
    "functools",
    "types",
)


def uses(content: bytes):
    """(name, what is done with it) of a pickle that pickle itself wrote; `value` where nothing is."""
    found = set()

    class Finder(pickle._Unpickler):
        def find_class(self, module, name):
            found.add((module, name, "value"))
            return super().find_class(module, name)

        dispatch = dict(pickle._Unpickler.dispatch)

        def note_reduce(self):
            target = self.stack[-2]
            found.add(
                (
                    getattr(target, "__module__", None) or "",
                    getattr(target, "__qualname__", getattr(target, "__name__", "")),
                    "call",
                )
            )
            pickle._Unpickler.load_reduce(self)

        def note_newobj(self):
            target = self.stack[-2]
            found.add((target.__module__, target.__qualname__, "make"))
            pickle._Unpickler.load_newobj(self)

        dispatch[pickle.REDUCE[0]] = note_reduce
        dispatch[pickle.NEWOBJ[0]] = note_newobj

    Finder(io.BytesIO(content)).load()
    return found


def fitted_estimators():
    import numpy
    import sklearn.datasets
    from sklearn.utils import all_estimators

    labels = sklearn.datasets.load_iris(return_X_y=True)
    numbers = sklearn.datasets.load_diabetes(return_X_y=True)
    labels = (labels[0][::5], labels[1][::5])
    numbers = (numbers[0][::10], numbers[1][::10])
    import sklearn.linear_model
    import sklearn.preprocessing
    import sklearn.svm
    import sklearn.tree

    wrapped = [("a", sklearn.linear_model.LogisticRegression())]
    many = {
        "estimator": sklearn.linear_model.LogisticRegression(),
        "estimators": wrapped,
        "steps": [
            ("scale", sklearn.preprocessing.StandardScaler()),
            ("svc", sklearn.svm.SVC(probability=False)),
        ],
        "transformer_list": [("scale", sklearn.preprocessing.StandardScaler())],
        "transformers": [("scale", sklearn.preprocessing.StandardScaler(), [0, 1])],
        "param_grid": {"C": [1.0]},
        "param_distributions": {"C": [1.0]},
        "dictionary": numpy.eye(labels[0].shape[1]),
    }
    texts = ["some words here", "other words there", "words again"] * 5
    for name, kind in all_estimators():
        for forest in (True, False):
            given = {key: many[key] for key in inspect.signature(kind.__init__).parameters if key in many}
            if "random_state" in inspect.signature(kind.__init__).parameters:
                given["random_state"] = numpy.random.RandomState(3) if forest else 3
            estimator = None
            for inputs in (
                labels,
                numbers,
                (texts, [0, 1, 0] * 5),
                (numbers[1], numbers[0][:, 0]),
                ([{"a": 1.0}, {"b": 2.0}], None),
                (numpy.abs(numbers[0]), numpy.abs(numbers[0][:, :2]) + 1.0),
            ):
                try:
                    made = kind(**given)
                    estimator = made if estimator is None else estimator
                    estimator = made.fit(*inputs)
                    break
                except Exception:
                    continue
            if estimator is not None:
                yield name, estimator
    for tree in (sklearn.tree.DecisionTreeClassifier,):
        yield "tree", tree().fit(*labels)
    yield "iris", sklearn.datasets.load_iris()
    import scipy.sparse

    for kind in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr"):
        for form in ("matrix", "array"):
            yield kind, getattr(scipy.sparse, f"{kind}_{form}")(numpy.eye(3))


def scikit_names():
    names = defaultdict(set)
    skipped = []
    for name, estimator in fitted_estimators():
        for protocol in (2, 4, 5):
            try:
                content = pickle.dumps(estimator, protocol)
                for module, qualified, use in uses(content):
                    if module.split(".")[0] not in RULED and "." not in qualified:
                        names[module, qualified].add(use)
            except Exception as error:
                skipped.append((name, repr(error)[:80]))
    more_of_scikit(names)
    print("not pickled:", sorted(set(skipped)), file=sys.stderr)
    return names


def classes_below(package, base, prefixes=None):
    found = set()
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".tests" in info.name or ".conftest" in info.name:
            continue
        try:
            module = __import__(info.name, fromlist=["x"])
        except Exception:
            continue
        for kind in list(vars(module).values()):
            if (
                inspect.isclass(kind)
                and issubclass(kind, base)
                and not kind.__module__.endswith("conftest")
                and kind.__module__.startswith(package.__name__)
                and "." not in kind.__qualname__
            ) and getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind:
                found.add((kind.__module__, kind.__name__))
    return found


def more_of_scikit(names):
    """What toy data doesn't reach: the other estimators, kernels, losses, splitters, trees, distances and scores."""
    import importlib

    import sklearn
    import sklearn._loss.link
    import sklearn._loss.loss
    import sklearn.base
    import sklearn.gaussian_process.kernels
    import sklearn.model_selection._split
    import sklearn.neural_network._stochastic_optimizers as optimizers

    bases = (
        sklearn.base.BaseEstimator,
        sklearn.gaussian_process.kernels.Kernel,
        sklearn._loss.loss.BaseLoss,
        sklearn._loss.link.BaseLink,
        sklearn.model_selection._split.BaseCrossValidator,
        optimizers.BaseOptimizer,
    )
    for pair in classes_below(sklearn, bases):
        if "tests" not in pair[0] and not pair[0].startswith("sklearn.externals"):
            names[pair].add("make")
    for module in (
        "sklearn._loss._loss",
        "sklearn.linear_model._sgd_fast",
        "sklearn.metrics._dist_metrics",
    ):
        for name, kind in vars(importlib.import_module(module)).items():
            if (inspect.isclass(kind) and kind.__module__ == module) or name.startswith("__pyx_unpickle_Cy"):
                names[module, name].add("call")
    for module, kind in (
        ("sklearn.neighbors._kd_tree", "KDTree"),
        ("sklearn.neighbors._ball_tree", "BallTree"),
    ):
        for name in ("newObj", kind, kind + "32", kind + "64"):
            names[module, name].add("call")
    for module in ("_classification", "_regression", "_ranking"):
        for name in vars(importlib.import_module("sklearn.metrics." + module)):
            if name.endswith(("_score", "_error", "_loss")) and not name.startswith("_"):
                names["sklearn.metrics." + module, name].add("value")
    names["sklearn.metrics._scorer", "_Scorer"].add("make")
    for name in ("chi2", "f_classif", "f_oneway", "f_regression", "r_regression"):
        names["sklearn.feature_selection._univariate_selection", name].add("value")
    for name in ("mutual_info_classif", "mutual_info_regression"):
        names["sklearn.feature_selection._mutual_info", name].add("value")


def torch_names():
    import torch
    import torch.ao.nn
    import torch.ao.quantization
    import torch.nn.modules
    import torch.optim

    found = classes_below(torch.nn.modules, torch.nn.Module) | classes_below(torch.ao.nn, torch.nn.Module)
    found |= classes_below(torch.optim, torch.optim.Optimizer) | classes_below(
        torch.optim, torch.optim.lr_scheduler.LRScheduler
    )
    return found


def torchvision_names():
    import torch
    import torchvision.models
    import torchvision.ops

    return classes_below(torchvision.models, torch.nn.Module) | classes_below(torchvision.ops, torch.nn.Module)


def table(pairs):
    modules = defaultdict(set)
    for module, name in pairs:
        modules[module].add(name)
    return "".join(
        f"  {json.dumps(module) if not module.isidentifier() else module}: {json.dumps(' '.join(sorted(names)))},\n"
        for module, names in sorted(modules.items())
    )


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torchvision", help="file with what --print-torchvision printed")
    parser.add_argument("--print-torchvision", action="store_true")
    arguments = parser.parse_args()
    if arguments.print_torchvision:
        print(json.dumps(sorted(torchvision_names())))
        return
    modules = torch_names()
    if arguments.torchvision:
        with open(arguments.torchvision, encoding="utf-8") as file:
            modules |= {tuple(pair) for pair in json.load(file)}
    scikit = scikit_names()
    called = {pair for pair, use in scikit.items() if "call" in use}
    made = {pair for pair, use in scikit.items() if "make" in use}
    parts = [
        "// Made by scripts/make-pickle-names.py. Modules, and names in them apart by blanks.\n",
        "/** Layers, optimizers, schedulers of torch and torchvision: made without arguments, given a state. */\n",
        f"export const LAYERS: Readonly<Record<string, string>> = {{\n{table(modules)}}};\n",
        "/** What pickles of scikit-learn make without arguments and give its state. */\n",
        f"export const SCIKIT_MADE: Readonly<Record<string, string>> = {{\n{table(made)}}};\n",
        "/** What they call with arguments: Cython classes and what makes them. */\n",
        f"export const SCIKIT_CALLED: Readonly<Record<string, string>> = {{\n{table(called)}}};\n",
        "/** What they only hold. */\n",
        f"export const SCIKIT_HELD: Readonly<Record<string, string>> = {{\n{table(set(scikit) - called - made)}}};\n",
    ]
    with open(TARGET, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


if __name__ == "__main__":
    main()
