"""scikit-learn's common tests on our searches, over networks as scikit-learn has it over Ridge."""

import pytest
from checks import with_every_check
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline

from sklearn_dnn import MLPClassifier, MLPRegressor, model_selection

# What scikit-learn's own configuration of these tests gives each search beside the candidates.
MORE = {
    "GridSearchCV": {},
    "RandomizedSearchCV": {"n_iter": 2, "random_state": 0},
    "HalvingGridSearchCV": {"min_resources": "smallest", "random_state": 0},
    "HalvingRandomSearchCV": {"random_state": 0},
}
MULTILABEL = [
    "check_classifiers_multilabel_output_format_decision_function",
    "check_classifiers_multilabel_output_format_predict",
    "check_classifiers_multilabel_output_format_predict_proba",
    "check_classifiers_multilabel_representation_invariance",
]

# The checks' tables are too small to converge on, and scikit-learn's run lets warnings pass.
pytestmark = pytest.mark.filterwarnings("ignore")


class NoTransformer:
    """Mixin of networks without ``transform``.

    Of a search over what both predicts and transforms, scikit-learn's checks say that its tags
    are incomplete, whoever's search it is.
    """

    @property
    def transform(self):
        raise AttributeError("transform")


class Classifier(NoTransformer, MLPClassifier):
    pass


class Regressor(NoTransformer, MLPRegressor):
    pass


def _searches(names, piped):
    for name in names:
        for network in (Classifier, Regressor):
            estimator, prefix = network(max_iter=20, random_state=0), ""
            if piped:
                estimator, prefix = Pipeline([("pca", PCA()), ("mlp", estimator)]), "mlp__"
            candidates = {f"{prefix}learning_rate_init": [0.01, 0.05]}
            search = getattr(model_selection, name)
            yield search(estimator, candidates, cv=2, error_score="raise", **MORE[name])


def _expected_failed_checks(search):
    """What fails with scikit-learn's own searches over these networks as well."""
    if not type(search).__name__.startswith("Halving"):
        return {}
    failing = {"check_fit2d_1sample": "there are fewer rows than the smallest resource"}
    if "Classifier" in repr(search.estimator):
        failing |= dict.fromkeys(MULTILABEL, "halving of rows reads y as one label a row")
    return failing


@pytest.mark.slow
@with_every_check(
    list(_searches(["GridSearchCV", "HalvingRandomSearchCV"], piped=False)),
    expected_failed_checks=_expected_failed_checks,
)
def test_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_every_check(
    [*_searches(["RandomizedSearchCV", "HalvingGridSearchCV"], False), *_searches(MORE, True)],
    expected_failed_checks=_expected_failed_checks,
)
def test_every_check_of_the_others(estimator, check):
    check(estimator)
