import pytest

from localdistill.backends.openai_address import parse
from localdistill.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "bases"),
    [
        ("http://localhost:8080/v1", ("http://localhost:8080/v1",)),
        ("http://localhost:8080/v1/", ("http://localhost:8080/v1",)),
        ("http://localhost:8080/v1/chat/completions", ("http://localhost:8080/v1",)),
        ("http://localhost:8080", ("http://localhost:8080/v1", "http://localhost:8080")),
        ("https://a.example/api/v3", ("https://a.example/api/v3",)),
        ("http://[::1]:8000/x", ("http://[::1]:8000/x/v1", "http://[::1]:8000/x")),
    ],
)
def test_where_the_api_may_begin(given, bases):
    assert parse(given).bases == bases


@pytest.mark.parametrize(
    "given",
    ["localhost:8080", "", "ftp://a/v1", "http://", "http://a:99999/v1", "http://a/v1?key=x"],
)
def test_what_is_no_url_of_a_server_is_refused(given):
    with pytest.raises(ConfigError, match="http://localhost:8080/v1"):
        parse(given)


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="LOCALDISTILL_API_KEY") as caught:
        parse("http://me:hunter2@localhost:8080/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "this_machine", "at_home"),
    [
        ("localhost", True, True),
        ("127.0.0.1", True, True),
        ("[::1]", True, True),
        ("192.168.1.20", False, True),
        ("gpu-box", False, True),
        ("gpu.local", False, True),
        ("api.openai.com", False, False),
        ("8.8.8.8", False, False),
    ],
)
def test_whose_machine_it_is(host, this_machine, at_home):
    address = parse(f"http://{host}:8080/v1")
    assert (address.is_this_machine, address.is_at_home) == (this_machine, at_home)
