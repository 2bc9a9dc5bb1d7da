"""What the doctor asks the schema registry: subjects and how they are held compatible."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import httpx

from schemas.objects import load_catalogue
from schemas.topics import Names
from stripeline.findings import Finding, Verdict

PART = "Registry"
COMPATIBILITY = "FULL_TRANSITIVE"
UNSET = ""
LISTED_MAX = 1_000
"""Subjects that a registry lists at most (Apicurio's default)."""


def registry_findings(url: str, *, names: Names, timeout_seconds: float) -> list[Finding]:
    """Whether the registry answers, and how it holds the namespace's subjects.

    Args:
        url: base address of the Confluent API; may hold `user:password@`, which is never shown.
        timeout_seconds: for each wait of a request.
    """
    shown = _without_login(url)
    try:
        with httpx.Client(base_url=url.rstrip("/") + "/", timeout=timeout_seconds) as client:
            levels = _levels(client, names)
    except httpx.HTTPStatusError as error:
        return [_wrong(f"{shown} answers {error.response.status_code}")]
    except (httpx.InvalidURL, ValueError, TypeError):
        return [_wrong(f"{shown} is no Confluent API")]
    except httpx.HTTPError as error:
        return [
            Finding(
                part=PART,
                subject="Confluent API",
                verdict=Verdict.UNREACHABLE,
                words=f"{shown} does not answer: {type(error).__name__}",
                advice="Start the registry (`stripeline stack up` starts one here), or correct "
                "SCHEMA_REGISTRY_URL.",
            )
        ]
    reached = Finding(
        part=PART, subject="Confluent API", verdict=Verdict.FINE, words=f"answers at {shown}"
    )
    return [reached, *judged_subjects(levels)]


def _wrong(words: str) -> Finding:
    return Finding(
        part=PART,
        subject="Confluent API",
        verdict=Verdict.WRONG,
        words=words,
        advice="Give the base address of the Confluent API with its login, if any. "
        "Example: SCHEMA_REGISTRY_URL=http://localhost:8081/apis/ccompat/v7 (Apicurio).",
    )


def judged_subjects(levels: Mapping[str, str]) -> list[Finding]:
    """What is to be said of subjects, each with its compatibility level (empty: not set)."""
    if not levels:
        return [
            Finding(
                part=PART,
                subject="subjects",
                verdict=Verdict.NOTE,
                words="none yet; the relay registers a schema with an object's first record",
            )
        ]
    wrong = {subject: level for subject, level in levels.items() if level != COMPATIBILITY}
    found = [
        Finding(
            part=PART,
            subject=f"subject {subject}",
            verdict=Verdict.WRONG,
            words=f"its compatibility is {level or 'the default of the registry'}",
            advice=f'`curl -X PUT -H "Content-Type: application/json" '
            f'-d \'{{"compatibility": "{COMPATIBILITY}"}}\' '
            f"$SCHEMA_REGISTRY_URL/config/{subject}`; replays of old records need it.",
        )
        for subject, level in wrong.items()
    ]
    summary = Finding(
        part=PART,
        subject="subjects",
        verdict=Verdict.FINE,
        words=f"{len(levels) - len(wrong)} of {len(levels)} held to {COMPATIBILITY}",
    )
    return [*found, summary]


def _levels(client: httpx.Client, names: Names) -> dict[str, str]:
    """Subject -> compatibility level, of the namespace's subjects.

    Raises:
        TypeError: the answer is not that of a registry.
    """
    listed = _answer(client, "subjects")
    if not isinstance(listed, list):
        raise TypeError("the subjects are no list")
    if len(listed) < LISTED_MAX:
        mine = sorted(name for name in listed if str(name).startswith(f"{names.namespace}."))
        return {subject: _level(client, subject) for subject in mine}
    # The list may be cut off: ask for each subject that there can be.
    asked = (names.subject(names.object_topic(name)) for name in load_catalogue().names())
    levels = {subject: _level(client, subject) for subject in asked}
    return {subject: level for subject, level in levels.items() if level != UNSET}


def _level(client: httpx.Client, subject: str) -> str:
    try:
        answer = _answer(client, f"config/{quote(subject, safe='')}")
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return UNSET
        raise
    assert isinstance(answer, dict)
    return str(answer.get("compatibilityLevel", UNSET))


def _answer(client: httpx.Client, path: str) -> object:
    answer = client.get(path)
    answer.raise_for_status()
    found: object = answer.json()
    return found


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
