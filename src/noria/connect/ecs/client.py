"""Clients of AWS, and what their errors mean. Addresses and credentials come from the standard chain alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from noria.errors import OutsideError, UsageError
from noria.ports.deployer import Trouble, TroubleKind

_THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "RequestThrottled", "SlowDown",
}  # fmt: skip
_DENIED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException", "ExpiredToken",
    "ExpiredTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthFailure",
    "MissingAuthenticationToken", "OptInRequired",
}  # fmt: skip
_MISSING = {"ImageNotFoundException", "RepositoryNotFoundException"}
_BUSY = {"OperationInProgressException", "OperationInProgress"}
_DOWN = {"ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalError", "ServerException"}


class Clients:
    """The clients of a region, each made when first used.

    Args:
        region: empty = that of the standard chain.

    Raises:
        UsageError: boto3 is missing, or no region is known.
    """

    def __init__(self, region: str = "") -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise UsageError("Amazon ECS needs boto3: install 'noria[ecs]'.") from None
        import os

        # boto3 reads AWS_DEFAULT_REGION and the shared configuration, containers are given AWS_REGION
        self._session = boto3.Session(region_name=region or None)
        self.region = region or self._session.region_name or os.environ.get("AWS_REGION", "")
        if not self.region:
            raise UsageError("no region is known: write region in [ecs] of noria.toml, or set AWS_REGION.")
        # what remains after these tries is the state machine's to wait for
        self._config = Config(
            connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}
        )
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The client of a service: "ecs", "ecr", "cloudformation", "cloudwatch"."""
        if name not in self._made:
            self._made[name] = self._session.client(name, region_name=self.region, config=self._config)
        return self._made[name]


def trouble_of(error: Exception) -> Trouble | None:
    """What an error of boto3 means; None where it is none of boto3's."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        told = error.response.get("Error", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return Trouble(_kind(code, message, status), f"{error.operation_name}: {code}: {message}".strip(": "))
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound):
        return Trouble("denied", f"{error}; give credentials by the standard chain of AWS")
    if isinstance(error, boto.ParamValidationError):
        return Trouble("refused", str(error))
    return Trouble("unreachable", str(error)) if isinstance(error, boto.BotoCoreError) else None


def _kind(code: str, message: str, status: int) -> TroubleKind:
    if code in _THROTTLED:
        return "throttled"
    if code in _DENIED:
        return "denied"
    if code in _MISSING:
        return "missing"
    # CloudFormation has one code for many things
    if code in _BUSY or (code == "ValidationError" and "_IN_PROGRESS state" in message):
        return "busy"
    return "unreachable" if code in _DOWN or status >= 500 else "refused"


@contextmanager
def told() -> Iterator[None]:
    """Turns errors of boto3 into Noria's, for commands that ask once."""
    try:
        yield
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        raise OutsideError(f"AWS: {trouble.message}.", retry_helps=trouble.passes) from None
