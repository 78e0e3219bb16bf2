"""The `survlspin` command as tests call it."""

from typer.testing import CliRunner

from survlspin.cli import app


def invoke(*arguments, **environment: str) -> tuple[int, str]:
    """The exit code and all that was said; nothing but an exit may end the command."""
    result = CliRunner().invoke(app, [*map(str, arguments)], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.output
