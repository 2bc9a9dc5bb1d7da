"""The schemas are what the pinned package gives, for every type, and stay readable."""

import re
import subprocess
import sys
import typing
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
import stripe

from schemas import generate
from schemas.columns import Column, ColumnKind, columns_of, record_schema
from schemas.compatibility import dropped, incompatibilities
from schemas.generate_annotations import (
    AnnotatedField,
    AnnotatedObject,
    class_of,
    inner_classes,
    own_annotations,
)
from schemas.generate_columns import NameTaken, NotReviewed, Rules
from schemas.generate_events import CARRIES, told_objects
from schemas.generate_reviewed import read_reviewed
from schemas.generate_shapes import shapes_json
from schemas.history import load_history
from schemas.moved import load_moves
from schemas.objects import load_catalogue
from schemas.released import KindChanged, read_released, released_form, with_released
from schemas.shapes import SHAPES_FILE, Shape

RULES = Rules(reviewed=read_reviewed(), history=load_history())


def test_the_files_are_what_the_pinned_package_gives(generated: dict[str, bytes]) -> None:
    different = list(generate.differing(generated, generate.FOLDER))

    assert different == [], "run `make schemas` and review the difference"


def test_the_shapes_are_what_the_pinned_package_gives() -> None:
    assert shapes_json() == SHAPES_FILE.read_bytes(), "run `make schemas`"


def test_writing_then_comparing_finds_no_difference_and_removes_what_is_left_over(
    generated: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "gone.avsc").write_bytes(b"{}")
    (tmp_path / "index.json").write_bytes(b"{}")
    before = set(generate.differing(generated, tmp_path))

    generate.write(generated, tmp_path)

    assert before == {*generated, "gone.avsc"}
    assert list(generate.differing(generated, tmp_path)) == []


def test_every_type_of_the_package_has_a_schema_or_a_reason(
    annotated: dict[str, AnnotatedObject],
) -> None:
    with_schema = set(load_catalogue().names())
    with_reason = set(read_reviewed().not_stored)

    assert with_schema.isdisjoint(with_reason)
    assert with_schema | with_reason >= annotated.keys()
    assert with_reason <= annotated.keys()
    assert len(with_schema) == 141


def test_every_type_with_a_schema_has_what_its_key_is_made_of(
    annotated: dict[str, AnnotatedObject],
) -> None:
    lacking = [
        f"{found.name}.{field}"
        for found in load_catalogue()
        for field in (found.key_rule.fields if found.key_rule else ())
        if annotated[found.name].field(field) is None
    ]

    assert lacking == []


def test_reviewed_names_are_all_of_use(annotated: dict[str, AnnotatedObject]) -> None:
    reviewed = read_reviewed()
    fields = [(found.name, field) for found in annotated.values() for field in found.fields]
    integers = {field.name for _, field in fields if field.shape is Shape.INTEGER}
    integers |= {
        name
        for found in annotated
        for name, lifetime in load_history().removed(found).items()
        if lifetime.shape is Shape.INTEGER
    }
    texts = {field.name for _, field in fields if field.shape is Shape.STRING}
    texts_of_types = {f"{name}.{f.name}" for name, f in fields if f.shape is Shape.STRING}

    assert reviewed.times | reviewed.numbers == integers
    assert reviewed.times.isdisjoint(reviewed.numbers)
    assert reviewed.references <= texts
    assert reviewed.references_of_one_type <= texts_of_types
    assert reviewed.natural_keys.keys() <= annotated.keys()


def test_what_the_package_calls_seconds_of_the_epoch_is_a_time(
    annotated: dict[str, AnnotatedObject],
) -> None:
    times = read_reviewed().times
    told = [
        field.name
        for found in annotated.values()
        for field in found.fields
        if field.shape is Shape.INTEGER and "seconds since the Unix epoch" in field.words
        if "milliseconds" not in field.words
    ]

    assert set(told) <= times
    assert len(told) > 100


def test_a_time_in_milliseconds_stays_a_number(annotated: dict[str, AnnotatedObject]) -> None:
    in_milliseconds = {
        f"{found.name}.{field.name}"
        for found in annotated.values()
        for field in found.fields
        if field.shape is Shape.INTEGER and "milliseconds" in field.words
    }

    assert in_milliseconds == {"terminal.reader.last_seen_at"}
    (column,) = [
        c for c in load_catalogue().get("terminal.reader").columns if c.name == "last_seen_at"
    ]
    assert column.kind is ColumnKind.INTEGER


def field(name: str, shape: Shape, **more: Any) -> AnnotatedField:
    return AnnotatedField(name=name, shape=shape, nullable=True, words="", **more)


def columns(*fields: AnnotatedField, name: str = "thing") -> dict[str, Column]:
    found = RULES.columns(AnnotatedObject(name=name, fields=fields))
    return {column.name: column for column in found}


def test_each_shape_becomes_its_column() -> None:
    found = columns(
        field("id", Shape.STRING),
        field("status", Shape.ENUM, values=("on", "off")),
        field("livemode", Shape.BOOLEAN),
        field("amount", Shape.INTEGER),
        field("created", Shape.INTEGER),
        field("percent_off", Shape.FLOAT),
        field("unit_decimal", Shape.DECIMAL),
        field("charge", Shape.EXPANDABLE, targets=("charge",)),
        field("invoice", Shape.STRING),
        field("price", Shape.RESOURCE, targets=("price",)),
        field("balance_now", Shape.RESOURCE, targets=("cash_balance",)),
        field("plan", Shape.NESTED),
        field("metadata", Shape.MAP),
        field("tags", Shape.LIST),
        field("lines", Shape.PAGE),
    )

    assert {name: (column.source, column.sql_type) for name, column in found.items()} == {
        "id": ("id", "text"),
        "status": ("status", "text"),
        "livemode": ("livemode", "boolean"),
        "amount": ("amount", "bigint"),
        "created": ("created", "timestamptz"),
        "percent_off": ("percent_off", "numeric"),
        "unit_decimal": ("unit_decimal", "numeric"),
        "charge_id": ("charge", "text"),
        "invoice_id": ("invoice", "text"),
        "price": ("price", "jsonb"),
        "price_id": ("price", "text"),
        "balance_now": ("balance_now", "jsonb"),
        "plan": ("plan", "jsonb"),
        "metadata": ("metadata", "jsonb"),
        "tags": ("tags", "jsonb"),
        "lines": ("lines", "jsonb"),
    }


def test_an_integer_that_nobody_reviewed_stops_the_generator() -> None:
    with pytest.raises(NotReviewed, match=r"thing\.ripens_at"):
        columns(field("ripens_at", Shape.INTEGER))


def test_two_fields_that_give_one_column_stop_the_generator() -> None:
    with pytest.raises(NameTaken, match=r"thing\.customer_id"):
        columns(field("customer", Shape.EXPANDABLE), field("customer_id", Shape.ENUM))


def test_a_moved_column_that_the_package_has_again_stops_the_generator() -> None:
    with pytest.raises(NameTaken, match=r"invoice\.subscription_id"):
        columns(field("subscription", Shape.EXPANDABLE), name="invoice")


def test_a_released_column_that_the_package_drops_stays() -> None:
    before = tuple(columns(field("old", Shape.MAP), field("charge", Shape.EXPANDABLE)).values())
    after = tuple(columns(field("new", Shape.MAP)).values())

    kept = with_released("thing", after, {"thing": released_form(before)})

    assert [(c.name, c.source, c.kind) for c in kept] == [
        ("id", "id", ColumnKind.STRING),
        ("new", "new", ColumnKind.JSON),
        ("old", "old", ColumnKind.JSON),
        ("charge_id", "charge", ColumnKind.REFERENCE),
    ]


def test_a_released_column_of_another_kind_stops_the_generator() -> None:
    before = tuple(columns(field("livemode", Shape.BOOLEAN)).values())
    after = tuple(columns(field("livemode", Shape.STRING)).values())

    with pytest.raises(KindChanged, match=r"thing\.livemode"):
        with_released("thing", after, {"thing": released_form(before)})


def test_a_released_type_that_the_package_drops_stays() -> None:
    released = {"thing": released_form(columns(field("livemode", Shape.BOOLEAN)).values())}

    found = generate.columns_by_type({}, read_reviewed(), released)

    assert [column.name for column in found["thing"]] == ["id", "livemode"]


def test_every_schema_is_compatible_with_the_released_set_and_lacks_nothing_of_it() -> None:
    catalogue = load_catalogue()
    faults = []
    for name, forms in read_released().items():
        earlier = record_schema(
            object_name=name, columns=with_released(name, (), {name: forms}), doc=""
        )
        later = catalogue.get(name).schema
        faults += [f"{name}: {fault}" for fault in incompatibilities(earlier, later)]
        faults += [f"{name}: {column} is gone" for column in dropped(earlier, later)]

    assert len(read_released()) == 141
    assert faults == [], "a released column stays as it is; see docs/decisions"


def test_a_type_that_becomes_known_can_read_its_generic_records() -> None:
    catalogue = load_catalogue()
    generic = catalogue.get("some.new_thing").schema
    unfit = {
        found.name: faults
        for found in catalogue
        if (
            faults := list(
                incompatibilities({**generic, "name": found.schema["name"]}, found.schema)
            )
        )
    }

    assert unfit == {}


def test_each_event_type_of_the_package_is_about_an_object_type_of_the_package(
    annotated: dict[str, AnnotatedObject],
) -> None:
    literals = typing.get_args(own_annotations(stripe.Event)["type"])
    catalogue = load_catalogue()

    assert set(catalogue.event_types()) == set(literals)
    assert len(literals) == 275
    unknown = {e for e in literals if not set(catalogue.event_objects(e)) <= annotated.keys()}
    assert unknown == set()


@pytest.mark.parametrize(
    ("event_type", "objects"),
    [
        ("customer.subscription.trial_will_end", ("subscription",)),
        ("customer.deleted", ("customer",)),
        ("application_fee.refund.updated", ("fee_refund",)),
        ("charge.refund.updated", ("refund",)),
        ("charge.refunded", ("charge",)),
        ("charge.dispute.closed", ("dispute",)),
        ("account.external_account.updated", ("bank_account", "card")),
        ("customer.source.created", ("source", "card", "bank_account")),
        ("issuing_authorization.request", ("issuing.authorization",)),
        ("source.transaction.created", ("source_transaction",)),
        ("billing.alert.triggered", ("billing.alert_triggered",)),
        ("capability.updated", ("capability",)),
        ("checkout.session.completed", ("checkout.session",)),
        ("invoice.upcoming", ("invoice",)),
        ("cash_balance.funds_available", ("cash_balance",)),
        ("customer_cash_balance_transaction.created", ("customer_cash_balance_transaction",)),
        ("never.heard_of", ()),
    ],
)
def test_an_event_is_about_the_object_that_its_body_carries(
    event_type: str, objects: tuple[str, ...]
) -> None:
    assert load_catalogue().event_objects(event_type) == objects


def test_every_event_type_told_apart_by_hand_needs_it(
    annotated: dict[str, AnnotatedObject],
) -> None:
    told = told_objects(annotated.keys())

    assert CARRIES.keys() <= told.keys()
    assert [event for event, objects in CARRIES.items() if objects == (told[event],)] == []


def test_each_moved_place_is_where_the_package_has_it() -> None:
    lost = [
        f"{name}.{'.'.join(moved.new.path)}"
        for name, several in load_moves().by_type.items()
        for moved in several
        if not has_place(name, moved.new.path)
    ]

    assert lost == []


def has_place(name: str, path: tuple[str, ...]) -> bool:
    classes = [class_of(name)]
    for step in path:
        fitting = [
            annotations[step] for cls in classes if step in (annotations := own_annotations(cls))
        ]
        if not fitting:
            return False
        classes = [inner for annotation in fitting for inner in inner_classes(annotation)]
    return True


def test_a_schema_says_all_that_a_reader_needs() -> None:
    for found in load_catalogue():
        schema = found.schema
        names = Counter(f["name"] for f in schema["fields"])
        assert schema["stripe.object"] == found.name
        assert schema["fields"][0]["name"] == "id"
        assert [f["name"] for f in schema["fields"][-10:]] == META_NAMES
        assert max(names.values()) == 1
        assert all(re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) for name in names), found.name
        assert columns_of(schema) == tuple(plain(c) for c in found.columns)
        for described in schema["fields"]:
            check_field(described)


META_NAMES = [
    "extra",
    "_event_at",
    "_event_id",
    "_event_type",
    "_operation",
    "_source",
    "_api_version",
    "_account_id",
    "_received_at",
    "_previous",
]
REQUIRED = {"_event_at", "_operation", "_source", "_received_at"}
AVRO_OF_SQL: dict[str, list[Any]] = {
    "text": ["string"],
    "boolean": ["boolean"],
    "bigint": ["long"],
    "numeric": ["double", "string"],
    "jsonb": [{"type": "string", "connect.name": "io.debezium.data.Json"}],
    "timestamptz": [
        {
            "type": "long",
            "logicalType": "timestamp-micros",
            "connect.name": "io.debezium.time.MicroTimestamp",
        }
    ],
}


def plain(column: Column) -> Column:
    return Column(name=column.name, source=column.source, kind=column.kind, doc=column.doc)


def check_field(described: dict[str, Any]) -> None:
    assert described["doc"]
    if described["name"] in REQUIRED:
        assert "default" not in described
        assert described["type"] in AVRO_OF_SQL[described["sql.type"]]
        return
    null, branch = described["type"]
    assert (null, described["default"]) == ("null", None)
    assert branch in AVRO_OF_SQL[described["sql.type"]]


def test_documentation_is_ours_and_not_the_packages(annotated: dict[str, AnnotatedObject]) -> None:
    copied = [
        f"{found.name}.{f.name}"
        for found in annotated.values()
        if found.name in load_catalogue().names()
        for f in found.fields
        if len(f.words) > 40
        if f.words[:40] in orjson.dumps(dict(load_catalogue().get(found.name).schema)).decode()
    ]

    assert copied == []


def test_the_check_command_says_nothing_where_nothing_differs() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "schemas.generate", "--check"], capture_output=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_an_unknown_argument_is_told_how_to() -> None:
    assert generate.main(["--wat"]) == 2


def test_the_catalogue_needs_neither_the_package_nor_kafka() -> None:
    program = (
        "import sys; from schemas.objects import load_catalogue; list(load_catalogue());"
        "print(sorted({'stripe', 'confluent_kafka', 'pyarrow', 'fastavro'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )

    assert ran.stdout == "[]\n"
