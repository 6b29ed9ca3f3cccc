"""What the fuzzer has to know of this service: a media type, and which refusals no schema can foretell."""

import json

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import ensure_resource_availability

NDJSON = "application/x-ndjson"

# Codes with which a request is refused although the schemas allow it, with the reason why these cannot forbid it.
BEYOND_SCHEMAS = {
    "IDEMPOTENCY_KEY_REUSED": "whether a key was used before is the state of the service",
    "POLICY_INVALID": "which fields exist twice, or one within another, is a relation between strings",
    "NUMBER_PRECISION": "which decimal texts a double holds is no property of a JSON number",
    "NOT_FOUND": "which collections exist is the state of the service",
    "ITEM_NOT_FOUND": "which items exist is the state of the service",
    "FIELDS_MISSING": "whether a collection is identified by fields, and by which, is the state of the service",
    "POLICY_IMMUTABLE": "whether a collection holds items is the state of the service",
}


@schemathesis.serializer(NDJSON)
def lines(ctx, value):
    """Sends text as it is, and anything else as one line of JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def problem_code(response):
    try:
        return response.json().get("code")
    except (ValueError, AttributeError):
        return None


def is_key_of_stream(case, code):
    """Whether a stream was refused for its Idempotency-Key: a header cannot depend on the media type in a schema."""
    return code == "IDEMPOTENCY_KEY_INVALID" and case.media_type == NDJSON


@schemathesis.check
def refuses_only_what_schemas_cannot_forbid(ctx, response, case):
    """Fails when a request that the schemas allow is refused for a reason that they could tell."""
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
    """As ensure_resource_availability, but not after a replay: the answer under a key outlives the item that it names."""
    parent = ctx.internals.find_parent(case_id=case.id)
    created = None if parent is None else ctx.internals.find_response(case_id=parent.id)
    if created is not None and "idempotency-replayed" not in created.headers:
        ensure_resource_availability(ctx, response, case)
