"""Postgres behind TLS with `sslmode=verify-full`: the right server is taken, no other one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from runtime.errors import ExitCode
from stripeline.doctor_postgres import postgres_findings
from stripeline.findings import Verdict
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.sink.certificates import authority
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace
from tests.sink.servers import Server, any_binaries, server_of
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, COUNT, arrives, unready

pytestmark = pytest.mark.stack
NAME = "localhost"
ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A server that is `localhost` by its certificate, who vouches for it, and who does not."""

    server: Server
    trusted: Path
    stranger: Path

    def url(self, *, host: str = NAME, root: Path | None = None) -> str:
        """The address of its database, to be spoken to in no other way."""
        return (
            f"postgresql://owner@{host}:{self.server.port}/postgres"
            f"?sslmode=verify-full&sslrootcert={root or self.trusted}"
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    ours = authority(folder, name="ours")
    certificate, key = ours.issue(NAME, folder)
    with server_of(any_binaries(), folder) as server:
        given = server.give("server.crt", certificate.read_bytes())
        secret = server.give("server.key", key.read_bytes())
        server.give("pg_hba.conf", b"hostssl all all 127.0.0.1/32 trust\n")
        server.stop()
        server.start({"ssl": "on", "ssl_cert_file": str(given), "ssl_key_file": str(secret)})
        yield Secured(
            server=server,
            trusted=ours.certificate,
            stranger=authority(folder, name="stranger").certificate,
        )


def faults(secured: Secured) -> dict[str, tuple[str, str]]:
    """Addresses that must not be spoken to, and what is said of them."""
    return {
        "another authority": (secured.url(root=secured.stranger), "certificate verify failed"),
        "another host": (secured.url(host=ADDRESS), 'does not match host name "127.0.0.1"'),
    }


FAULTS = ["another authority", "another host"]


def test_the_sink_and_its_commands_work_over_verified_tls(
    secured: Secured,
    sink: SinkStarter,
    stack: Infrastructure,
    publisher: Publisher,
    namespace: str,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", tickets, [change("a", 1)])
    service = sink(DATABASE_URL=secured.url()).start()
    with psycopg.connect(secured.url(), autocommit=True) as postgres:
        arrives(postgres, COUNT, 1)
        told = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) " + (
            "where application_name = 'stripeline sink'"
        )
        assert postgres.execute(told).fetchone() == (True,)
    assert service.stop() == ExitCode.OK
    workplace = Workplace(stack, namespace=namespace, database_url=secured.url())
    assert workplace.said("verify", "ticket")[0] == ExitCode.OK


@pytest.mark.parametrize("fault", FAULTS)
def test_the_sink_waits_for_a_server_that_is_who_it_should_be_and_says_why(
    secured: Secured, sink: SinkStarter, fault: str
) -> None:
    url, words = faults(secured)[fault]
    service = sink(DATABASE_URL=url)
    service.launch()
    eventually(
        lambda: words in unready(service),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the sink says which certificate it does not take",
        more=service.log,
    )
    assert service.stop() == ExitCode.OK


@pytest.mark.parametrize("fault", FAULTS)
def test_a_command_says_what_is_wrong_with_the_certificate(
    secured: Secured, stack: Infrastructure, namespace: str, fault: str
) -> None:
    url, words = faults(secured)[fault]
    workplace = Workplace(stack, namespace=namespace, database_url=url)
    code, told = workplace.said("migrate")
    assert code == ExitCode.UNREACHABLE
    assert words in " ".join(told.split())
    assert "Traceback" not in told


@pytest.mark.parametrize("fault", FAULTS)
def test_the_doctor_tells_a_wrong_certificate_from_a_server_that_is_down(
    secured: Secured, fault: str
) -> None:
    url, words = faults(secured)[fault]
    (found,) = postgres_findings(url, schema="stripe", migrations=frozenset(), timeout_seconds=5)
    assert found.verdict is Verdict.WRONG
    assert words in found.words
    assert "sslrootcert" in found.advice


def test_an_unencrypted_line_is_not_taken(secured: Secured) -> None:
    plain: Any = make_conninfo(secured.url(), sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(plain)
