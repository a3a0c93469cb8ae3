"""Where a model server is, and the key that it may want."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from localdistill.errors import ConfigError

# The first that is set is used. Never an option or a file: those are seen and kept.
KEY_VARIABLES = ("LOCALDISTILL_API_KEY", "OPENAI_API_KEY")
# What people copy out of an example: the base is what stands before it.
_ENDPOINTS = ("/chat/completions", "/completions", "/models")


@dataclass(frozen=True)
class Address:
    """A server's base URL as it was given, without a slash at its end."""

    url: str
    host: str

    @property
    def bases(self) -> tuple[str, ...]:
        """Where the API may begin, the likeliest first: people leave out the ``/v1``."""
        last = self.url.rpartition("/")[2]
        if last.startswith("v") and last[1:].isdigit():
            return (self.url,)
        return (f"{self.url}/v1", self.url)

    @property
    def is_this_machine(self) -> bool:
        """Whether requests stay on this machine; a proxy could not reach it either."""
        address = _as_ip(self.host)
        return self.host.lower() == "localhost" or (address is not None and address.is_loopback)

    @property
    def is_at_home(self) -> bool:
        """Whether it is this machine or one of the local network, as far as its name tells."""
        address = _as_ip(self.host)
        if address is not None:
            return address.is_private or address.is_link_local
        return "." not in self.host or self.host.lower().endswith((".local", ".lan", ".internal"))


def parse(url: str) -> Address:
    """Read what was given as ``--server``.

    Raises:
        ConfigError: it is not the URL of a server, or it carries a password.
    """
    example = "give it like http://localhost:8080/v1"
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ConfigError(f"--server {url}: not a URL ({error}); {example}") from error
    if parts.username is not None or parts.password is not None:
        # The text itself is not repeated: it would end up in logs.
        message = "--server: a name or password does not belong into the URL; put an API key into"
        raise ConfigError(f"{message} the environment variable {KEY_VARIABLES[0]}")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ConfigError(f"--server {url}: not the URL of a server; {example}")
    if parts.query or parts.fragment:
        raise ConfigError(f"--server {url}: nothing may follow the path; {example}")
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        path = path.removesuffix(endpoint)
    return Address(f"{parts.scheme}://{parts.netloc}{path}", host)


def api_key(environment: Mapping[str, str]) -> str | None:
    """The key to send, if the user has set one."""
    return next((environment[name] for name in KEY_VARIABLES if environment.get(name)), None)


def _as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
