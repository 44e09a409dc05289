"""What code written for server-side-tracking 1.0 imports is still there."""

import pytest

from server_tracking import InvalidParametersError
from server_tracking.exceptions import InvalidParametersException
from server_tracking.parameters import UP, VP, UrlGenerator
from server_tracking.systems.universal_analytics import parameters


def test_the_exception_of_1_0_is_ours():
    assert InvalidParametersException is InvalidParametersError


def test_a_class_in_the_manner_of_1_0_works():
    class Mine(UrlGenerator):
        first = UP("f", True)
        second = VP("s<1-5>")

    with pytest.raises(InvalidParametersException, match="first"):
        Mine().url()


@pytest.mark.parametrize(
    "name",
    [
        "GeneralParameters",
        "SessionParameters",
        "PageViewParameters",
        "EventParameters",
        "EComTransactionParameters",
        "EComItem",
        "EComItemParameters",
        "EnhancedEComGeneralParameters",
        "EnhancedEComProductParameters",
        "SocialInteractionParameters",
        "TimingParameters",
        "ExceptionParameters",
        "AppTrackingParameters",
        "HitParameters",
        "CustomDimensionUrlGenerator",
        "CustomMetricUrlGenerator",
        "HIT_TYPE_EVENT",
        "EECOM_ACTION_PURCHASE",
    ],
)
def test_the_google_classes_have_their_names(name):
    assert hasattr(parameters, name)
