"""Access to Google Cloud: the fields of the connection, and tokens that are cached and renewed."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from airflow.providers.common.compat.sdk import Connection

pytest.importorskip("google.auth", reason="the extra google is not installed")

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_veo.api.errors import InvalidInputError, NotSentError
from airflow_provider_veo.hooks import google
from airflow_provider_veo.hooks.google import SCOPE, GoogleAccess, get_tokens


class TokenEndpoint:
    """A token endpoint on loopback.

    Attributes:
        requests: Forms that it has received.
        status: Status of its next answers.
    """

    def __init__(self):
        self.requests = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                endpoint.requests.append(form)
                body = {"access_token": f"ya29.token-{len(endpoint.requests)}", "expires_in": 3600}
                if endpoint.status != 200:
                    body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
                sent = json.dumps(body).encode()
                self.send_response(endpoint.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint():
    endpoint = TokenEndpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="session")
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


@pytest.fixture
def key(endpoint, private_key):
    """Return the key of a service account whose token endpoint is on loopback."""
    return {
        "type": "service_account",
        "project_id": "my-project",
        "private_key": private_key,
        "private_key_id": "1",
        "client_email": "veo@my-project.iam.gserviceaccount.com",
        "token_uri": endpoint.url,
    }


@pytest.fixture(autouse=True)
def empty_cache():
    get_tokens.cache_clear()


def test_tokens_are_cached_by_the_fields_of_the_connection(key, endpoint):
    tokens, project = get_tokens(GoogleAccess.read({"keyfile_dict": json.dumps(key)}))
    assert (project, tokens.token, tokens.is_fresh) == ("my-project", None, False)
    assert tokens.get_headers()["authorization"] == "Bearer ya29.token-1"
    again, _ = get_tokens(GoogleAccess.read({"keyfile_dict": json.dumps(key)}))
    assert again is tokens
    assert again.get_headers()["authorization"] == "Bearer ya29.token-1"
    assert tokens.is_fresh
    assert len(endpoint.requests) == 1
    assert endpoint.requests[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


def test_many_threads_ask_for_one_token(key, endpoint):
    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    threads = [threading.Thread(target=tokens.get_headers) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(endpoint.requests) == 1


def test_a_token_that_the_api_has_refused_is_renewed_once(key, endpoint):
    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    tokens.get_headers()
    refused = tokens.token
    tokens.forget(refused)
    assert not tokens.is_fresh
    assert tokens.get_headers()["authorization"] == "Bearer ya29.token-2"
    tokens.forget(refused)  # another caller, whose request had the same token
    assert tokens.get_headers()["authorization"] == "Bearer ya29.token-2"
    assert len(endpoint.requests) == 2


def test_the_headers_name_the_project_that_pays(key):
    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key, "quota_project_id": "payer"}))
    assert tokens.get_headers()["x-goog-user-project"] == "payer"


def test_refused_credentials_are_an_error_that_a_retry_does_not_help(key, endpoint):
    endpoint.status = 400
    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    with pytest.raises(
        InvalidInputError, match=r"Google refuses the credentials.*Invalid JWT Signature.*Check the key"
    ):
        tokens.get_headers()


def test_a_token_endpoint_that_cannot_be_reached_is_an_error_that_passes(key, endpoint):
    endpoint.close()

    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    with pytest.raises(NotSentError, match="gave no token"):
        tokens.get_headers()


def test_a_key_that_cannot_be_read_is_an_error_without_the_key(key):
    key["private_key"] = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"
    with pytest.raises(InvalidInputError, match="The credentials for Google Cloud cannot be read") as caught:
        get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    assert "canary" not in str(caught.value)


def test_the_fields_of_a_google_connection_are_read(key, mocker):
    extra = {
        "extra__google_cloud_platform__keyfile_dict": json.dumps(key),
        "extra__google_cloud_platform__scope": "https://a.example, https://b.example",
        "project": "other",
        "quota_project_id": "payer",
        "impersonation_chain": "a@x,b@x",
    }
    connection = Connection(conn_id="gcp", conn_type="google_cloud_platform", extra=json.dumps(extra))
    mocker.patch.object(google.BaseHook, "get_connection", return_value=connection)
    access = GoogleAccess.read({"google_conn_id": "gcp", "location": "us-central1"})
    assert access == GoogleAccess(
        conn_id="gcp",
        project="other",
        key=json.dumps(key),
        scopes=("https://a.example", "https://b.example"),
        quota_project="payer",
        impersonation_chain=("a@x", "b@x"),
    )
    assert "PRIVATE" not in repr(access)


def test_without_fields_application_default_credentials_are_taken(key, tmp_path, monkeypatch):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    tokens, project = get_tokens(GoogleAccess.read({"project": "mine"}))
    assert project == "mine"
    assert tokens.get_headers()["authorization"].startswith("Bearer ya29.")
    assert GoogleAccess.read({}).scopes == (SCOPE,)


def test_a_token_is_renewed_before_it_expires(key, endpoint):
    tokens, _ = get_tokens(GoogleAccess.read({"keyfile_dict": key}))
    tokens.get_headers()
    tokens._credentials.expiry -= timedelta(minutes=57)  # google-auth renews within four minutes of the end
    tokens.get_headers()
    assert len(endpoint.requests) == 2
