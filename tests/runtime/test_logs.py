"""Logs are one JSON object a line, and no local variable or secret ever stands in them."""

import json
import subprocess
import sys
from typing import Any

SECRET = "whsec_never_in_a_log"


def lines_of(program: str) -> list[dict[str, Any]]:
    """The log lines of a process of its own, because logging is set up for a whole process."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_a_message_a_level_a_utc_time_the_service_and_its_fields() -> None:
    [line] = lines_of(
        "from runtime import logs\n"
        "logs.configure(service='relay')\n"
        "logs.logger('memory').info('restored', partition=3)\n"
    )

    assert line["event"] == "restored"
    assert line["level"] == "info"
    assert line["service"] == "relay"
    assert line["component"] == "memory"
    assert line["partition"] == 3
    assert line["timestamp"].endswith("Z")


def test_a_traceback_shows_no_local_variable() -> None:
    [line] = lines_of(
        "from runtime import logs\n"
        "logs.configure(service='webhook')\n"
        f"secret = '{SECRET[::-1]}'[::-1]\n"
        "def check(given):\n"
        "    body = given * 2\n"
        "    raise ValueError('the signature does not match')\n"
        "try:\n"
        "    check(secret)\n"
        "except ValueError:\n"
        "    logs.logger('signature').exception('refused')\n"
    )

    assert "Traceback" in line["exception"]
    assert "the signature does not match" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_a_library_that_warns_is_one_json_line_too_and_its_chatter_is_left_out() -> None:
    [line] = lines_of(
        "import logging\n"
        "from runtime import logs\n"
        "logs.configure(service='sink')\n"
        "logging.getLogger('library').info('chatter')\n"
        "logging.getLogger('library').warning('the pool of %s is full', 'postgres')\n"
    )

    assert line["event"] == "the pool of postgres is full"
    assert line["level"] == "warning"
    assert line["service"] == "sink"


def test_a_secret_setting_that_is_logged_by_mistake_is_masked() -> None:
    [line] = lines_of(
        "from pydantic import SecretStr\n"
        "from runtime import logs\n"
        "logs.configure(service='webhook')\n"
        f"logs.logger('settings').info('started', secret=SecretStr('{SECRET}'))\n"
    )

    assert SECRET not in json.dumps(line)
