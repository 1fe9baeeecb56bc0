"""What counts as the URL of a store, what must not stand in one, and which errors pass."""

import re
from pathlib import Path

import pytest

from sweeps.errors import UserError
from sweeps.io.mirror import Mirror, mirror_of
from sweeps.io.url import is_away, is_url, refuse_secrets, without_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/path", True),
        ("file:///tmp/x", True),
        ("fsspec+memory://x", True),
        ("outputs", False),
        ("/tmp/a", False),
        ("C:/x", False),
        ("a=b://c", False),
    ],
)
def test_a_url_has_a_scheme(text: str, expected: bool) -> None:
    assert is_url(text) is expected


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hunter2@bucket/x",
        "s3://AKIA:hun/ter2+x@bucket/x?region=eu-west-1",
        "s3://AKIA:1hunter2@bucket",
        "ftp://user:hunter2@host:21/x",
        "hdfs://user:hunter2@host:8020/x",
        "sftp://:hunter2@host/x",
        "simplecache::s3://AKIA:hunter2@bucket/x",
        "s3://bucket/x?access_key=AKIA&secret_key=hunter2",
        "s3://bucket/x?region=eu-west-1&secret_key=hunter2",
        "s3://bucket/x?session_token=hunter2",
        "https://host/x?sig=hunter2",
        "https://host/x?X-Amz-Signature=hunter2",
        "https://host/x?X-Amz-Credential=hunter2",
        "abfs://c@account/x?account_key=hunter2",
        "gs://bucket/x#token=hunter2",
        "webdav://host/x?Password=hunter2",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    for work in (refuse_secrets, mirror_of, lambda url: Mirror(url, Path("/nonexistent"))):
        with pytest.raises(UserError, match="AWS_SECRET_ACCESS_KEY") as caught:
            work(url)
        assert not re.search("hun|ter2", str(caught.value))
    assert not re.search("hun|ter2", without_secrets(url))


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/x?region=eu-west-1&scheme=http&endpoint_override=localhost:9000",
        "hdfs://user@host:8020/x@y",
        "hdfs://host:8020/a:b@c",
        "abfs://container@account.dfs.core.windows.net/x",
        "s3://bucket/a:b@c",
        "sftp://[::1]:22/a@b",
        "gs://anonymous@bucket/x",
        "s3://bucket/x?secret_key=",
        "outputs/a:b@c?token=1",
    ],
)
def test_a_url_without_a_password_stays(url: str) -> None:
    refuse_secrets(url)
    assert without_secrets(url) == url


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (
            OSError(
                "When listing objects under key 'x' in bucket 'b': AWS Error NETWORK_CONNECTION "
                "during ListObjectsV2 operation: curlCode: 7, Couldn't connect to server"
            ),
            True,
        ),
        (OSError("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation"), True),
        (OSError("AWS Error SLOW_DOWN during PutObject operation"), True),
        (OSError("google::cloud::Status(UNAVAILABLE: Retry policy exhausted)"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
        (TimeoutError(), True),
        (OSError(5, "Input/output error"), True),
        (OSError(116, "Stale file handle"), True),
        (RuntimeError("EndpointConnectionError: Could not connect to the endpoint URL"), True),
        (OSError("AWS Error ACCESS_DENIED during PutObject operation"), False),
        (OSError("AWS Error NO_SUCH_BUCKET during PutObject operation"), False),
        (OSError("AWS Error INVALID_ACCESS_KEY_ID (HTTP status 403)"), False),
        (OSError("google::cloud::Status(PERMISSION_DENIED: Permission denied)"), False),
        (OSError("Bucket 'b' not found"), False),
        (PermissionError(13, "Permission denied"), False),
        (FileNotFoundError(2, "No such file or directory"), False),
        (OSError(28, "No space left on device"), False),
        (OSError(30, "Read-only file system"), False),
        (ImportError("Install s3fs"), False),
        (ValueError("Unrecognized scheme"), False),
        (KeyError("size"), False),
        (RuntimeError("this library has a fault"), False),
    ],
)
def test_errors_that_waiting_mends_are_told_from_others(error: Exception, passes: bool) -> None:
    assert is_away(error) is passes
