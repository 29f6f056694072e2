"""A real S3 server on loopback: moto's, in a process of its own."""

import re
import subprocess
import sys
import threading
import urllib.request
from typing import Any, Self

KEY_ID, SECRET = "AKIAKEYOFTHEROOTUSER", "SeCrEtOfTheRootUser/0123456789+abcdefghi"
READY = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


class S3Server:
    """Runs for the length of a `with` block."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self.said: list[str] = []
        for line in self._process.stderr:
            self.said.append(line)
            if found := READY.search(line):
                self.url = found.group(1)
                break
        else:
            raise RuntimeError(f"moto does not start: {''.join(self.said)}")
        # Read on, or the pipe fills and the server waits.
        self._reader = threading.Thread(target=self._read_on)
        self._reader.start()

    def __enter__(self) -> Self:
        """Be there."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End the process."""
        for client in self._clients.values():
            client.close()
        self._process.terminate()
        self._process.wait(10)
        self._reader.join()

    def client(self, service: str = "s3") -> Any:
        """Return a client of boto3 for the tests' own questions; making one takes a while."""
        import boto3

        if service not in self._clients:
            self._clients[service] = boto3.session.Session().client(
                service,
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id=KEY_ID,
                aws_secret_access_key=SECRET,
            )
        return self._clients[service]

    def check_rights_from_now(self) -> None:
        """Have every request checked against the policies of its key."""
        self._post("/moto-api/reset-auth", b"0")

    def check_no_rights(self) -> None:
        """Let everybody do everything, as at the start."""
        self._post("/moto-api/reset-auth", b"inf")

    def _post(self, path: str, body: bytes) -> None:
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(  # noqa: S310 - http, ours
            f"{self.url}{path}", data=body, headers=headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
            pass

    def _read_on(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(line)
        self._process.stderr.close()
