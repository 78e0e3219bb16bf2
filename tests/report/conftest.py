import pytest
from reported import sketched


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the invented patients are, with the model and the study of `reported`, each made once."""
    return tmp_path_factory.mktemp("subjects")


@pytest.fixture
def undrawn():
    """Reports of this test have no figures."""
    with sketched():
        yield
