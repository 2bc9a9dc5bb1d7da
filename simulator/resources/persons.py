"""People behind a connected account."""

from simulator.parameters import ADDRESS, anything, array, choice, metadata, text
from simulator.resource import Resource, changes, fresh
from simulator.resources.account_shape import REQUIREMENTS
from simulator.session import Session
from simulator.state import Body

_REQUIREMENTS = {
    name: value
    for name, value in REQUIREMENTS.items()
    if name not in {"current_deadline", "disabled_reason"}
}
_DOCUMENT = {"back": None, "details": None, "details_code": None, "front": None}
_SECRETS = ("id_number", "id_number_secondary", "ssn_last_4")
"""Numbers that Stripe only says it was given."""

WRITABLE = {
    "address": ADDRESS,
    "dob": anything,
    "email": text,
    "first_name": text,
    "full_name_aliases": array(text),
    "gender": text,
    **dict.fromkeys(_SECRETS, text),
    "last_name": text,
    "maiden_name": text,
    "metadata": metadata,
    "nationality": text,
    "phone": text,
    "political_exposure": choice("existing", "none"),
    "relationship": anything,
}


def add_person(session: Session, given: Body) -> Body:
    """Name a person of the session's account."""
    body = {**fresh(session, PERSON, _shown(given)), "account": session.world.account}
    return session.add(body, event="person.created")


def change_person(session: Session, body: Body, given: Body) -> Body:
    """Change one."""
    return session.change(body, changes(body, _shown(given)), event="person.updated")


def remove_person(session: Session, body: Body) -> Body:
    """Take one away."""
    return session.remove(body, event="person.deleted")


def _shown(given: Body) -> Body:
    kept = {name: value for name, value in given.items() if name not in _SECRETS}
    told = {f"{name}_provided": given[name] is not None for name in _SECRETS if name in given}
    return kept | told


PERSON = Resource(
    name="person",
    path="accounts/{id}/persons",
    prefix="person_",
    blank={
        "address_kana": None,
        "address_kanji": None,
        "first_name_kana": None,
        "first_name_kanji": None,
        "full_name_aliases": None,
        "gender": None,
        "id_number_secondary_provided": False,
        "last_name_kana": None,
        "last_name_kanji": None,
        "maiden_name": None,
        "nationality": None,
        "political_exposure": None,
        "registered_address": None,
        "us_cfpb_data": None,
        "account": None,
        "additional_tos_acceptances": {"account": {"date": None, "ip": None, "user_agent": None}},
        "address": None,
        "created": 0,
        "dob": {"day": None, "month": None, "year": None},
        "email": None,
        "first_name": None,
        "future_requirements": _REQUIREMENTS,
        "id_number_provided": False,
        "last_name": None,
        "metadata": {},
        "phone": None,
        "relationship": {
            "authorizer": False,
            "director": False,
            "executive": False,
            "legal_guardian": False,
            "owner": False,
            "percent_ownership": None,
            "representative": False,
            "title": None,
        },
        "requirements": _REQUIREMENTS,
        "ssn_last_4_provided": False,
        "verification": {
            "additional_document": _DOCUMENT,
            "details": None,
            "details_code": None,
            "document": _DOCUMENT,
            "status": "unverified",
        },
    },
)
