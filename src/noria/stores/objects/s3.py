"""Files below a prefix of an S3 bucket, at AWS or any compatible endpoint.

Address and credentials come from the standard chain alone (environment, shared configuration, role of the machine),
never from an argument: nothing secret can get into a file, a log or a message.
"""

from __future__ import annotations

import io
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from noria.errors import OutsideError, StateError, UsageError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")
_GONE = {"NoSuchKey", "404", "NotFound"}
_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_PASSING = {
    "500",
    "502",
    "503",
    "504",
    "InternalError",
    "ServiceUnavailable",
    "SlowDown",
    "RequestTimeout",
    "Throttling",
}


class S3Objects:
    """See `noria.stores.objects.Objects`. Opening it probes the store with two writes of one small object.

    Args:
        uri: `s3://bucket/prefix`.
        timeout_s: how long one request may wait for an answer.

    Raises:
        UsageError: the address is not of that form, or boto3 is missing.
        OutsideError: the store cannot be reached or refuses.
        StateError: the store ignores conditional writes: two writers would lose each other's commits.
    """

    def __init__(self, uri: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            # The address is not repeated: somebody may have put credentials into it.
            raise UsageError(
                "the address of an object store must read s3://bucket/prefix, without credentials, port or options; "
                "those belong into the environment (AWS_ENDPOINT_URL, AWS_PROFILE and the like)."
            )
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self.uri = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        self._timeout_s = timeout_s
        self._client = _client(timeout_s)
        self._probe()

    def read(self, name: str) -> bytes:
        with self._told(name):
            return bytes(self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read())

    def source(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.read(name))

    def write(self, name: str, data: bytes | memoryview) -> None:
        with self._told(name):
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=bytes(data))

    def create(self, name: str, data: bytes) -> bool:
        with self._told(name):
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=data, IfNoneMatch="*")
            except self._client.exceptions.ClientError as error:
                if _code(error) in _TAKEN:
                    return False
                raise
        return True

    def exists(self, name: str) -> bool:
        try:
            with self._told(name):
                self._client.head_object(Bucket=self._bucket, Key=self._key(name))
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        cut = len(self._key(""))
        found = [entry["Key"][cut:] for page in self._pages(folder, "") for entry in page.get("Contents", [])]
        return sorted(found)

    def folders(self, folder: str) -> list[str]:
        found = [entry["Prefix"] for page in self._pages(folder, "/") for entry in page.get("CommonPrefixes", [])]
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found)

    def remove(self, name: str) -> None:
        with self._told(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def options(self) -> dict[str, str]:
        """Where delta-rs finds the store; it takes the credentials from the same chain by itself."""
        endpoint = str(self._client.meta.endpoint_url)
        options = {
            "AWS_REGION": str(self._client.meta.region_name or "us-east-1"),
            "timeout": f"{self._timeout_s:g}s",
            "max_retries": "5",
            "retry_timeout": f"{max(1, round(4 * self._timeout_s))}s",
        }
        if not re.search(r"\.amazonaws\.com(\.cn)?$", endpoint):
            options["AWS_ENDPOINT_URL"] = endpoint
            options["AWS_ALLOW_HTTP"] = str(endpoint.startswith("http://")).lower()
        return options

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    def _pages(self, folder: str, delimiter: str) -> Iterator[Any]:
        prefix = self._key(f"{folder}/" if folder else "")
        with self._told(folder):
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter=delimiter
            )

    def _probe(self) -> None:
        """Delta is as safe as "create only where nothing is" of the store: a store that ignores it loses commits."""
        name = f"_probe/{uuid.uuid4().hex}"
        try:
            self.create(name, b"1")
            second = self.create(name, b"2")
        finally:
            self.remove(name)
        if second:
            raise StateError(
                f"the object store of {self.uri} ignores conditional writes (If-None-Match), so two writers would "
                "silently lose each other's commits; it is not used. Take a store that honours them, or a disk."
            )

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = _code(error)
            if code in _GONE:
                raise FileNotFoundError(f"{self.uri}/{name}") from None
            status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
            again = code in _PASSING or status.startswith("5")
            raise OutsideError(f"the object store refuses {self.uri}/{name}: {code}.", retry_helps=again) from None
        except BotoCoreError as error:
            again = type(error).__name__ not in {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"}
            why = type(error).__name__ if again else f"{type(error).__name__}; set them in the environment"
            raise OutsideError(f"the object store of {self.uri} is out of reach: {why}.", retry_helps=again) from None


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _client(timeout_s: float) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise UsageError("an object store needs boto3: install 'noria[s3]'.") from None
    session = boto3.Session()
    # boto3 reads AWS_DEFAULT_REGION and the shared configuration, delta-rs and containers AWS_REGION.
    region = session.region_name or os.environ.get("AWS_REGION", "us-east-1")
    config = Config(
        connect_timeout=min(10.0, timeout_s),
        read_timeout=timeout_s,
        retries={"mode": "standard", "total_max_attempts": 6},
        # Stores other than AWS know no checksum trailers, and no bucket as a part of the host's name.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    return session.client("s3", region_name=region, config=config)
