"""The address guard: which addresses a download may connect to."""

import ipaddress
import socket
from typing import TypeAlias

from worker.inputs.sources import input_error

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# A prefix that carries an IPv4 address inside an IPv6 one (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that IANA has given to the open internet. Outside lie addresses that Python calls global and
# that carry an IPv4 address: ::127.0.0.1, the local NAT64 prefix, the old site-local ones.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# What Python 3.11 calls global and is not of the open internet.
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments; a cloud's metadata is there
    ipaddress.ip_network("168.63.129.16/32"),  # a cloud's host, as seen from its machines
    ipaddress.ip_network("3fff::/20"),  # documentation
)


def is_public(address: IPAddress) -> bool:
    """Whether the address is one of the open internet's, also when it is wrapped in IPv6."""
    inner = _wrapped_ipv4(address)
    if inner is not None:
        return is_public(inner)
    if address.version == 6 and address not in _GLOBAL_UNICAST:  # noqa: PLR2004 - IPv6
        return False
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


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
                raise input_error(
                    source,
                    f"{host!r} is at {address}, which is no public address; "
                    "allow private addresses in the settings if this is meant",
                )
    return addresses


def _looked_up(host: str, port: int, *, source: str) -> list[IPAddress]:
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        # The name server had no answer now; a name that does not exist says EAI_NONAME.
        again = getattr(error, "errno", None) == socket.EAI_AGAIN
        problem = f"the host {host!r} cannot be found: {error}"
        raise input_error(source, problem, retryable=again) from error
    return [ipaddress.ip_address(text) for text in dict.fromkeys(str(x[4][0]) for x in answers)]


def _wrapped_ipv4(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
