"""The contract, for every system that is found."""

import pytest

from server_tracking.systems import discovered_systems
from server_tracking.testing import SystemContract

SECRETS = {
    # scheme: what nobody may read, and whether the protocol wants it in the URL
    "ga4": (("made-up-secret",), True),
    "goatcounter": (("made-up-token",), False),
    "matomo": (("0123456789abcdef0123456789abcdef",), False),
    "plausible": ((), False),
    "posthog": ((), False),
    "ua": ((), False),
    "umami": ((), False),
}


class TestEverySystem(SystemContract):
    """Each behaviour runs for each scheme."""

    @pytest.fixture(autouse=True, params=sorted(SECRETS))
    def _take_the_scheme(self, request):
        self.scheme = request.param
        self.secrets, self.secret_in_url = SECRETS[request.param]

    def make_system(self):
        return discovered_systems()[self.scheme].example()


def test_every_system_is_under_contract():
    assert set(discovered_systems()) == set(SECRETS)


@pytest.mark.parametrize("scheme", sorted(SECRETS))
def test_the_example_holds_the_secrets_that_the_contract_looks_for(scheme):
    system = discovered_systems()[scheme].example()
    held = [getattr(system, name) for name in system.__struct_fields__]

    assert all(secret in held for secret in SECRETS[scheme][0])
