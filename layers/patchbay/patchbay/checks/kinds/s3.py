"""The kind `s3`: an access key may list a bucket of Amazon S3, or of a store that speaks S3.

```json
{"name": "bucket", "kind": "s3", "endpoint": "{{variables.endpoint}}",
 "region": "{{variables.region}}", "bucket": "{{variables.bucket}}", "prefix": "exports/",
 "accessKeyId": "{{secrets.access_key_id}}",
 "secretAccessKey": "{{secrets.secret_access_key}}", "sessionToken": "{{secrets.session_token}}"}
```

- `endpoint` is the URL of a store other than Amazon's: MinIO, Cloudflare R2, Google Cloud Storage,
  Backblaze. Without it, or if its variable has no value, it is that of Amazon S3 in `region`.
- `region` is `us-east-1` by default; R2 takes `auto`.
- `addressing` is `path` (`/bucket`, the default with an endpoint) or `virtual` (`bucket.host`, the
  default of Amazon S3).
- `prefix` limits what is listed, for keys that may list no more than that.
- `sessionToken` is sent if it has a value.
- `authorities`, `clientCertificate`, and `clientKey` say how https is secured (`tls_members`).

The step asks for one key of the bucket at most (`ListObjectsV2`), which changes nothing. Passing
proves access.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.failures import CheckFailure
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.protocols.sigv4 import AwsKey, encoded, signed_headers
from patchbay.checks.request_context import RequestContext
from patchbay.checks.server_login import read_secret, read_text, text_of
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    ValueRefused,
    Values,
    placeholders_of,
    plain,
    pointer_of,
    split_template,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.headers import value_problem
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.clock import utc_now
from patchbay.platform.sentences import Sentence

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpBody, HttpResponse

type Addressing = Literal["path", "virtual"]

ADDRESSING_STYLES: Final[tuple[Addressing, ...]] = get_args(Addressing.__value__)
DEFAULT_REGION: Final = "us-east-1"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; old ones and other
# stores take capitals and underscores.
_BUCKET: Final = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_LABELS: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.@:-]{3,128}")
_RESULT: Final = re.compile(r"<(?:[\w.-]{1,40}:)?ListBucketResult[\s>]")
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
_RIGHT_REGION: Final = re.compile(r"<Region>([a-z]{2}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2})</Region>")
_OF_REGION: Final = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}
)
"""What Amazon answers to a signature for another region than the bucket's."""


@dataclass(frozen=True, slots=True)
class S3Pointers:
    """The fields of the endpoint that give the parts of the request."""

    key_id: str
    secret: str
    token: str | None
    bucket: str | None
    region: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class S3Probe:
    """A list of one bucket, ready to be asked for. It is signed when it is sent."""

    target: HttpUrl
    region: str
    key: AwsKey = field(repr=False)
    tls: TlsOptions = field(repr=False)
    pointers: S3Pointers

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop.
        from patchbay.egress.http_exchange import exchange

        headers = signed_headers(
            self.key,
            "GET",
            self.target.authority,
            self.target.path,
            self.region,
            "s3",
            utc_now(),
        )
        request = HttpRequest("GET", self.target, headers, credentialed=True, tls=self.tls)
        async with exchange(guard, request, deadline=deadline, timings=timings) as response:
            if response.status != 200:
                raise self._refused(response, await response.words(deadline=deadline))
            body = await response.body(deadline=deadline)
        if not _RESULT.search(body.text()):
            if body.problem:
                raise CheckFailure.after_dial(body.problem)
            raise CheckFailure(
                "unexpected_response",
                "The answer is not a list of a bucket: the endpoint may not be one of S3.",
                field_pointer=self.pointers.host,
            )
        return Outcome("The key may list the bucket.")

    def _refused(self, response: "HttpResponse", body: "HttpBody") -> CheckFailure:
        from patchbay.checks.refusals import Answer, refusal

        text, pointers = body.text(), self.pointers
        found = _CODE.search(text)
        name = found[1] if found else ""
        if name in _OF_REGION or (response.status == 301 and not name):
            right = response.headers.get("x-amz-bucket-region", "")
            in_body = _RIGHT_REGION.search(text)
            region = in_body[1] if in_body else right if _REGION.fullmatch(right) else ""
            return CheckFailure(
                "config_invalid",
                Sentence("The bucket is in another region: {}.", region)
                if region
                else "The bucket is in another region.",
                field_pointer=pointers.region or pointers.bucket,
            )
        answer = Answer(response.status, response.headers, text)
        context = RequestContext(path=pointers.bucket, host=pointers.host)
        judged = refusal(answer, context, utc_now())
        of_name = {
            "InvalidAccessKeyId": pointers.key_id,
            "SignatureDoesNotMatch": pointers.secret,
            "ExpiredToken": pointers.token,
            "InvalidToken": pointers.token,
            "NoSuchBucket": pointers.bucket,
            "InvalidBucketName": pointers.bucket,
        }
        code = "config_invalid" if name == "InvalidBucketName" else judged.code
        return CheckFailure(
            code,
            judged.summary,
            retry_after_seconds=judged.retry_after_seconds,
            field_pointer=of_name.get(name) or judged.field_pointer,
        )


@dataclass(frozen=True, slots=True)
class S3Template:
    endpoint: UrlTemplate | None
    region: Parts
    bucket: Parts
    prefix: Parts
    addressing: Addressing | None
    key_id: Placeholder
    secret: Placeholder
    token: Placeholder | None
    tls: TlsMembers

    def placeholders(self) -> Iterator[Placeholder]:
        for parts in (self.region, self.bucket, self.prefix):
            yield from placeholders_of(parts)
        yield from (self.key_id, self.secret)

    def destination_placeholders(self) -> Iterator[Placeholder]:
        if self.endpoint:
            yield from self.endpoint.placeholders()
        yield from placeholders_of(self.region)
        yield from placeholders_of(self.bucket)
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        # In the path of a store that many share, endpoint and bucket say whose data it is.
        if self.endpoint:
            yield from self.endpoint.placeholders()
        for parts in (self.bucket, self.region, self.prefix):
            yield from placeholders_of(parts)
        yield from (self.key_id, self.secret)
        if self.token:
            yield self.token
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        scheme, host, port = self._target(values).origin
        return f"{scheme}://{host}:{port}"

    def destination(self, values: Values) -> str:
        scheme, host, port = self._target(values).origin
        trust = self.tls.trust(values)
        place = f"{scheme}://{host}:{port}"
        return f"{place} s3" + (f" {trust}" if trust else "")

    def compile(self, values: Values) -> Compiled:
        token = values.text(self.token) if self.token and values.has(self.token) else ""
        key = AwsKey(values.text(self.key_id), values.text(self.secret), token)
        if not _KEY_ID.fullmatch(key.id):
            raise ValueRefused(self.key_id.pointer, "is not the id of an access key")
        if token and self.token and (problem := value_problem(token)):
            raise ValueRefused(self.token.pointer, problem)
        has_endpoint = self.endpoint and self._has_endpoint(values)
        host_pointer = self.endpoint.host_pointer if self.endpoint and has_endpoint else None
        return Compiled(
            probe=S3Probe(
                self._target(values),
                self._region(values),
                key,
                self.tls.fill(values),
                S3Pointers(
                    key_id=self.key_id.pointer,
                    secret=self.secret.pointer,
                    token=self.token.pointer if self.token else None,
                    bucket=pointer_of(self.bucket),
                    region=pointer_of(self.region),
                    host=host_pointer,
                ),
            ),
            proves_access=True,
            host_pointer=host_pointer or pointer_of(self.region),
            credential_pointer=self.secret.pointer,
            certificate_pointer=self.tls.certificate_pointer,
        )

    def _target(self, values: Values) -> HttpUrl:
        """The URL of the list. Raises ValueRefused."""
        bucket, region = text_of(self.bucket, values), self._region(values)
        pointer = pointer_of(self.bucket) or "/variables"
        if not _BUCKET.fullmatch(bucket):
            raise ValueRefused(pointer, "is not the name of a bucket")
        if self.endpoint and self._has_endpoint(values):
            base, addressing = self.endpoint.target(values), self.addressing or "path"
        else:
            domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            base = parse_url(f"https://s3.{region}.{domain}/")
            # A name with dots is not covered by Amazon's certificates.
            virtual = _LABELS.fullmatch(bucket) is not None
            addressing = self.addressing or ("virtual" if virtual else "path")
        prefix = plain(self.prefix, values)
        query = "?list-type=2&max-keys=1" + (f"&prefix={encoded(prefix)}" if prefix else "")
        path = base.path.partition("?")[0].rstrip("/")
        if addressing == "virtual":
            if not _LABELS.fullmatch(bucket):
                raise ValueRefused(pointer, "can't be part of a host name")
            address = base.address.replace("://", f"://{bucket}.", 1)
            return _parsed(f"{address}{path}/{query}", pointer)
        return _parsed(f"{base.address}{path}/{encoded(bucket)}{query}", pointer)

    def _region(self, values: Values) -> str:
        region = plain(self.region, values)
        if not _REGION.fullmatch(region):
            raise ValueRefused(pointer_of(self.region) or "/variables", "is not a region")
        return region

    def _has_endpoint(self, values: Values) -> bool:
        return self.endpoint is not None and all(map(values.has, self.endpoint.placeholders()))


def read(reader: StepReader) -> S3Template:
    """Raises ManifestProblems."""
    step = reader.step
    endpoint = None
    if "endpoint" in step:
        endpoint = reader.attempt("/endpoint", lambda: _read_endpoint(reader))
    region = read_text(reader, "region") if "region" in step else (DEFAULT_REGION,)
    bucket = read_text(reader, "bucket")
    prefix = read_text(reader, "prefix") if "prefix" in step else ()
    addressing = reader.choice("addressing", ADDRESSING_STYLES) if "addressing" in step else None
    key_id, secret = read_secret(reader, "accessKeyId"), read_secret(reader, "secretAccessKey")
    token = read_secret(reader, "sessionToken") if "sessionToken" in step else None
    tls = TlsMembers.read(reader)
    for name, parts, form in (
        ("region", region, _REGION),
        ("bucket", bucket, _LABELS if addressing == "virtual" else _BUCKET),
    ):
        # What the author has written in full can be judged now.
        if parts and pointer_of(parts) is None and not form.fullmatch("".join(map(str, parts))):
            reader.report(f"/{name}", "is not one that can be asked for")
    if reader.problems or not (region and bucket and key_id and secret) or prefix is None:
        raise reader.refused()
    return S3Template(endpoint, region, bucket, prefix, addressing, key_id, secret, token, tls)


def _read_endpoint(reader: StepReader) -> UrlTemplate:
    text = reader.step["endpoint"]
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    split_template(text, reader.declared)
    template = UrlTemplate.parse(text, reader.declared)
    if template.query:
        raise TemplateError("must be a URL without a query")
    return template


def _parsed(url: str, pointer: str) -> HttpUrl:
    try:
        return parse_url(url)
    except EgressBlocked as error:
        raise ValueRefused(pointer, "does not form a valid URL with the endpoint") from error


KIND: Final = Kind(
    read,
    keys=frozenset(
        {
            *("endpoint", "region", "bucket", "prefix", "addressing"),
            *("accessKeyId", "secretAccessKey", "sessionToken"),
        }
    )
    | TLS_KEYS,
)
