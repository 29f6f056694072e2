"""The address guard: which addresses a download may connect to."""

import ipaddress
import socket
from typing import TypeAlias

from worker.errors import InputError

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Prefixes that carry an IPv4 address inside an IPv6 one: an inner private address counts.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: IPAddress) -> bool:
    """Whether the address is one of the open internet's, also when it is wrapped in IPv6."""
    inner = _wrapped_ipv4(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def resolve_host(host: str, port: int, *, private_addresses: bool, source: str) -> list[IPAddress]:
    """Look up a host and return the addresses that may be connected to, in the resolver's order.

    The caller connects to one of these and not to the name, so that a second answer of the name
    server cannot lead elsewhere. One address that is not public refuses the host.

    Raises:
        InputError: The name is unknown, or an address is refused; names `source`.
    """
    addresses = _looked_up(host, port, source=source)
    if not private_addresses:
        for address in addresses:
            if not is_public(address):
                raise InputError(
                    source,
                    f"{host!r} is at {address}, which is no public address; "
                    "allow private addresses in the settings if this is meant",
                )
    return addresses


def _looked_up(host: str, port: int, *, source: str) -> list[IPAddress]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        unknown = InputError(source, f"the host {host!r} cannot be found: {error}")
        # The name server had no answer now; a name that does not exist says EAI_NONAME.
        unknown.retryable = getattr(error, "errno", None) == socket.EAI_AGAIN
        raise unknown from error
    # An IPv6 address may carry a zone, as in fe80::1%eth0.
    texts = dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers)
    return [ipaddress.ip_address(text) for text in texts]


def _wrapped_ipv4(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
