"""What Amazon EventBridge and Azure Event Grid wrap an event in.

Their subscribers get the event unsigned: the cloud's own rights say who may send.
"""

from datetime import UTC, datetime

from simulator.state import Body

DESTINATION = "ed_test_simulated"
AWS_ACCOUNT = "123456789012"
AWS_REGION = "us-east-1"


def event_bridge(event: Body) -> Body:
    """An event as a rule of Amazon EventBridge hands it on."""
    source = f"aws.partner/stripe.com/{DESTINATION}"
    return {
        "version": "0",
        "id": event["id"],
        "detail-type": event["type"],
        "source": source,
        "account": AWS_ACCOUNT,
        "time": _time(event),
        "region": AWS_REGION,
        "resources": [f"arn:aws:events:{AWS_REGION}::event-source/{source}"],
        "detail": event,
    }


def event_grid(event: Body) -> Body:
    """An event as a subscription of Azure Event Grid hands it on: a CloudEvent 1.0."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "type": event["type"],
        "source": f"/partners/stripe/{DESTINATION}",
        "subject": event["type"],
        "time": _time(event),
        "datacontenttype": "application/json",
        "data": event,
    }


def _time(event: Body) -> str:
    created = event["created"]
    if isinstance(created, str):
        return created
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
