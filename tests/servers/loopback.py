"""A server of a test's own on loopback, in a thread."""

import threading
from http.server import ThreadingHTTPServer
from socketserver import ThreadingTCPServer
from typing import Self


class Loopback:
    """Serves for the length of a `with` block, and ends with it.

    Args:
        server: Bound to a free port of loopback.

    Attributes:
        url: Its address.
    """

    def __init__(self, server: ThreadingHTTPServer | ThreadingTCPServer) -> None:
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
