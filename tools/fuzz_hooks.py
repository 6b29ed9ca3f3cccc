"""Extends the fuzzer for this service: a media type, and the refusals that a schema cannot express."""

import json

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import ensure_resource_availability, use_after_free

NDJSON = "application/x-ndjson"

# Codes of refusals that the schemas cannot express, with the reason.
BEYOND_SCHEMAS = {
    "IDEMPOTENCY_KEY_REUSED": "earlier uses of a key are state of the service",
    "POLICY_INVALID": "duplicate or nested fields are a relation between strings",
    "NUMBER_PRECISION": "JSON Schema cannot limit the precision of a number",
    "NOT_FOUND": "the existing collections are state of the service",
    "ITEM_NOT_FOUND": "the existing items are state of the service",
    "FIELDS_MISSING": "the identity policy of a collection is state of the service",
    "POLICY_IMMUTABLE": "the items of a collection are state of the service",
    "DELETION_NOT_FOUND": "the deletions of a collection are state of the service",
}


@schemathesis.serializer(NDJSON)
def lines(ctx, value):
    """Encodes strings unchanged, and other values as one line of JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def before_call(ctx, case, **kwargs):
    """Makes the stream of events end after the kept events: a stream that goes on has no response to check."""
    if case.path == "/v1/events" and isinstance(case.query, dict) and case.query.get("follow", "true") == "true":
        case.query["follow"] = "false"


def problem_code(response):
    try:
        return response.json().get("code")
    except (ValueError, AttributeError):
        return None


def is_key_of_stream(case, code):
    """Returns true if a stream was refused for its Idempotency-Key: in a schema, a header cannot depend on the media type."""
    return code == "IDEMPOTENCY_KEY_INVALID" and case.media_type == NDJSON


@schemathesis.check
def refuses_only_what_schemas_cannot_forbid(ctx, response, case):
    """Fails if a request that the schemas allow is refused for a reason that they could express."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    code = problem_code(response)
    if code not in BEYOND_SCHEMAS and not is_key_of_stream(case, code):
        raise Failure(
            operation=case.operation.label,
            title="Schema-valid request refused",
            message=f"{response.status_code} {code}: let the schema forbid the request, or add the code to BEYOND_SCHEMAS",
        )


@schemathesis.check
def keeps_what_it_created(ctx, response, case):
    """Runs ensure_resource_availability, except after a replay: a replayed response can outlive the item that it names."""
    parent = ctx.internals.find_parent(case_id=case.id)
    created = None if parent is None else ctx.internals.find_response(case_id=parent.id)
    if created is not None and "idempotency-replayed" not in created.headers:
        ensure_resource_availability(ctx, response, case)


@schemathesis.check
def deletes_items_for_good(ctx, response, case):
    """Runs use_after_free for items. A deleted collection still exists: it is empty, and its policy stays."""
    if case.path.endswith("/items/{id}"):
        use_after_free(ctx, response, case)
