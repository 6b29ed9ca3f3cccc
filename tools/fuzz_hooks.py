"""How the fuzzer writes the one media type that it does not know."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """Sends text as it is, and anything else as one line of JSON."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
