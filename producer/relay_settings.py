"""The relay's settings."""

import socket
from pathlib import Path

from pydantic import Field

from producer.settings import ProducerSettings


class RelaySettings(ProducerSettings):
    """What `stripeline producer relay` reads."""

    relay_instance: str = Field(
        default_factory=socket.gethostname,
        description=(
            "Name of this relay, different for each that runs at the same time and the same "
            "after a restart; by default the host's name."
        ),
        examples=["relay-0"],
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=200,
    )
    relay_memory_folder: Path = Field(
        default=Path("relay-memory"),
        description=(
            "Folder of the relay's memory, a file per partition. When lost it is built anew from "
            "the object topics, which takes a while; keep it on a volume."
        ),
        examples=["/var/lib/stripeline"],
    )
    relay_batch_records_max: int = Field(
        default=2_000,
        description="Inbox records published in one transaction at most.",
        examples=[2_000],
        ge=1,
        le=50_000,
    )
    relay_batch_bytes_max: int = Field(
        default=16 * 1024 * 1024,
        description=(
            "Bytes of inbox records published in one transaction at most (one record may exceed "
            "it). While Kafka does not take as much in time, batches are smaller by themselves."
        ),
        examples=[16_777_216],
        ge=1,
    )
    relay_linger_milliseconds: int = Field(
        default=3,
        description="How long a batch waits for more records after its first one.",
        examples=[3],
        ge=0,
        le=1_000,
    )
    relay_refetches_per_second_max: float = Field(
        default=10.0,
        description=(
            "Requests to Stripe a second, at most, to settle the order of changes of one second."
        ),
        examples=[10],
        gt=0,
        le=100,
    )
