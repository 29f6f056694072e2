"""The address guard."""

import ipaddress
import socket

import pytest

from worker.errors import InputError
from worker.inputs.addresses import is_public, resolve_host


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to be refused, not one to bind
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
        "2001:0:5db8:d822:0:0:80ff:fffe",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "fe80::1%eth0",
        "192.0.0.192",
        "198.18.0.1",
        "168.63.129.16",
        "::ffff:168.63.129.16",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_not_public(address: str) -> None:
    """Loopback, private, link-local, shared, multicast, a cloud's own; also wrapped in IPv6."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    """Also wrapped in IPv6."""
    assert is_public(ipaddress.ip_address(address))


def test_a_name_that_leads_to_loopback_is_refused_with_its_address() -> None:
    """The name is looked up, not read."""
    with pytest.raises(InputError, match=r"'localhost' is at (127\.0\.0\.1|::1)"):
        resolve_host("localhost", 80, private_addresses=False, source="http://localhost/a")


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
def test_a_loopback_address_in_another_spelling_is_refused(host: str) -> None:
    """The resolver reads them as the kernel does."""
    with pytest.raises(InputError, match=r"127\.0\.0\.1"):
        resolve_host(host, 80, private_addresses=False, source=f"http://{host}/a")


def test_private_addresses_pass_when_they_are_allowed() -> None:
    """For storage on the same network."""
    found = resolve_host("127.0.0.1", 80, private_addresses=True, source="http://127.0.0.1/a")
    assert found == [ipaddress.ip_address("127.0.0.1")]


def test_an_unknown_host_is_an_input_error_that_names_it() -> None:
    """And not an error of sockets."""
    with pytest.raises(InputError, match=r"'nowhere.invalid' cannot be found"):
        resolve_host("nowhere.invalid", 80, private_addresses=False, source="http://x/")


def test_one_private_address_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the connection could fall back to it."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda _host, port, **options: [
            answer for text in ("1.1.1.1", "10.0.0.1") for answer in real(text, port, **options)
        ],
    )
    with pytest.raises(InputError, match=r"is at 10\.0\.0\.1"):
        resolve_host("two.test", 80, private_addresses=False, source="http://two.test/")


@pytest.mark.parametrize("host", ["a\0b", "a" * 64 + ".invalid", ".", "a..b", "\ud800"])
def test_what_is_no_name_is_an_input_error(host: str) -> None:
    """And not an error of text."""
    with pytest.raises(InputError, match="cannot be found"):
        resolve_host(host, 80, private_addresses=False, source="http://x/")
