"""Where the data files that come with the package lie: in the wheel, or in a source checkout."""

from pathlib import Path

__all__ = ["names", "shipped"]

HERE = Path(__file__).parent


def shipped(kind: str) -> Path:
    """The folder of the shipped files of one `kind` ("recipes" or "codebooks")."""
    installed = HERE / "_data" / kind
    return installed if installed.is_dir() else HERE.parent / "datasets" / kind


def names(kind: str) -> list[str]:
    """The names of the shipped files of one `kind`, without their ending."""
    return sorted(path.stem for path in shipped(kind).glob("*.toml"))
