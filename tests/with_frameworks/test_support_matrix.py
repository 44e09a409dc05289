"""The support matrix in the documentation is what the contracts say.

To write it anew: python -m tests.with_frameworks.test_support_matrix > docs/frameworks/support.md
"""

from pathlib import Path

from server_tracking.testing import FrameworkContract, support_matrix
from tests.with_frameworks import (
    test_blacksheep_contract,
    test_django_contract,
    test_falcon_contract,
    test_fastapi,
    test_flask,
    test_litestar_contract,
    test_parity,
    test_plain_contract,
    test_quart_contract,
    test_starlette,
)

PAGE = Path(__file__).parents[2] / "docs" / "frameworks" / "support.md"
CONTRACTS = {
    "Django, WSGI": test_django_contract.TestWSGI,
    "Django, ASGI": test_django_contract.TestASGI,
    "Flask": test_flask.TestFlask,
    "Starlette": test_starlette.TestStarlette,
    "FastAPI": test_fastapi.TestFastAPI,
    "Bottle": test_plain_contract.TestBottle,
    "Pyramid": test_plain_contract.TestPyramid,
    "Falcon, WSGI": test_falcon_contract.TestFalcon,
    "Falcon, ASGI": test_falcon_contract.TestFalconASGI,
    "Quart": test_quart_contract.TestQuart,
    "Litestar": test_litestar_contract.TestLitestar,
    "BlackSheep": test_blacksheep_contract.TestBlackSheep,
    "plain WSGI": test_plain_contract.TestPlainWSGI,
    "plain ASGI": test_plain_contract.TestPlainASGI,
}


def page():
    few = set(test_parity.few_pairs())
    pairs = test_parity.parity_matrix(lambda p: "yes" if p in few else "on demand")
    number = len(FrameworkContract.behaviours())
    return (
        "# What each framework supports\n\n"
        f"The {number} behaviours of `FrameworkContract`, each a test that runs over "
        "HTTP messages in every framework. A number in brackets is the reason why "
        "there is none. Django, Flask, Starlette and FastAPI have adapters; the others "
        "show what the two middlewares do alone.\n\n"
        + support_matrix(CONTRACTS)
        + "\n## Frameworks and servers\n\n"
        "One journey (a visitor from a campaign, two pages, an event, a missing page, "
        "a script's request, consent, a purchase, a visit the next day) gives equal "
        "hits, ids and times aside. Each run of the tests makes it where it says yes; "
        "`PARITY=all` makes it everywhere, and each run prints what it found.\n\n"
        + pairs
    )


def test_the_page_says_what_the_contracts_say():
    assert PAGE.read_text("utf-8") == page()


def test_no_behaviour_is_without_a_framework_that_has_it():
    rows = [contract.behaviours() for contract in CONTRACTS.values()]

    for name in FrameworkContract.behaviours():
        assert any(row[name] is None for row in rows), name


if __name__ == "__main__":
    print(page(), end="")
