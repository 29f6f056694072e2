"""What an S3 server's refusal means: try again, or what is wrong and the way out."""

from typing import Final

from worker.errors import OutputError
from worker.output.bucket import StorageRefused, StorageUnavailable

_KEYS: Final = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY anew"
_RIGHTS: Final = "it needs s3:PutObject, s3:GetObject and s3:DeleteObject under the prefix"
_PASSING: Final = frozenset(
    {
        "BadDigest",  # other bytes arrived than were sent
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "XAmzContentSHA256Mismatch",
    }
)
_PASSING_STATUS: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500
# What is wrong, and the way out, by the protocol's code.
_PERMANENT: Final = {
    "301": "the bucket is in another region; set AWS_REGION to it",
    "403": f"the key may not do this; {_RIGHTS}",
    "AccessDenied": f"the key may not do this; {_RIGHTS}",
    "EntityTooLarge": "the file is larger than the bucket takes; raise the bucket's limit",
    "ExpiredToken": "the key was lent and has run out; set AWS_SESSION_TOKEN and its keys anew",
    "InvalidAccessKeyId": f"no such key is known there; {_KEYS}",
    "InvalidToken": "AWS_SESSION_TOKEN does not belong to the key; set all three anew",
    "NoSuchBucket": "there is no such bucket; make it, or change LOOP26_STORAGE",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION to it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION to it",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "SignatureDoesNotMatch": f"the secret does not belong to the key; {_KEYS}",
}


def refusal_of(error: Exception, name: str) -> OutputError:
    """Make the error that says what a failed call means; it repeats nothing that may be secret."""
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _answered(error.response, name)
    return _unanswered(error, name)


def _answered(response: dict[str, dict[str, object]], name: str) -> OutputError:
    # By code and status: the server's words may repeat the key, or the request.
    code = str(response.get("Error", {}).get("Code", ""))[:60]
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    status = status if isinstance(status, int) else 0
    said = f"{name} answered {status} {code}".rstrip()
    if status >= _SERVER_ERROR or status in _PASSING_STATUS or code in _PASSING:
        return StorageUnavailable(f"{said}; the storage cannot do it now")
    way_out = _PERMANENT.get(code) or _PERMANENT.get(str(status))
    return StorageRefused(f"{said}: {way_out or 'see what the storage says of it'}")


def _unanswered(error: Exception, name: str) -> OutputError:
    """Say what it means that no answer came."""
    from botocore import exceptions

    kind = type(error).__name__
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageRefused(f"{name}: its certificate does not hold; mend it, or the address")
    passing = (
        exceptions.ConnectionError,
        exceptions.CredentialRetrievalError,
        exceptions.HTTPClientError,  # time-outs, cut answers
        exceptions.ResponseStreamingError,
        exceptions.IncompleteReadError,
    )
    if isinstance(error, passing):
        return StorageUnavailable(f"{name} cannot be reached: {kind}; see network and address")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return StorageRefused(
            f"{name}: there is no key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return StorageRefused(f"{name}: the call cannot be made: {kind}; see the settings of storage")
