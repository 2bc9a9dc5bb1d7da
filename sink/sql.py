"""The named SQL files of the sink."""

from importlib.resources import files


def query(name: str) -> str:
    """The statement in `sink/queries/<name>.sql`."""
    return (files("sink") / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def migrations() -> list[tuple[str, str]]:
    """Name and text of each migration of schema `stripeline`, in the order in which they run."""
    found = [
        (entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        for entry in (files("sink") / "migrations").iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)
