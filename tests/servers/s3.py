"""A real S3 server for tests: moto's, in a process of its own."""

import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.servers.base import Server, answers
from tests.servers.ports import free_port

KEY_ID, SECRET = "AKIAKEYOFTHEROOTUSER", "SeCrEtOfTheRootUser/0123456789+abcdefghi"


class S3Server(Server):
    """A running server, to be used in a `with` block; its buckets are in its memory.

    Args:
        folder: Where it runs; it is there.

    Attributes:
        url: Its address.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._clients: dict[str, Any] = {}

    def __exit__(self, *exception: object) -> None:
        for client in self._clients.values():
            client.close()
        super().__exit__(*exception)

    def command(self) -> list[str]:
        """Run moto's server."""
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]

    def is_ready(self) -> bool:
        """Whether it answers its own page."""
        return answers(f"{self.url}/moto-api/")

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
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - as above
            pass
