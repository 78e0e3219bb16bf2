import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the invented patients are, with the model and the study of `reported`, each made once."""
    return tmp_path_factory.mktemp("subjects")
