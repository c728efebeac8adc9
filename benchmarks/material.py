"""The files of the downloads: a large, whole video, and a certificate for the TLS server."""

from __future__ import annotations

import ipaddress
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_BLOCK = 2**20
_BOX_HEAD = 8


def make_clip(path: Path) -> None:
    """Render a small video."""
    from airflow_provider_veo.emulator.render import Scene, render  # noqa: PLC0415 - it takes half a second, and one part needs it

    render(Scene("A benchmark", "storing", 320, 180, 1), path)


def make_large(clip: Path, path: Path, size: int) -> None:
    """Write a video of a given size: a clip, followed by one `free` box of random bytes."""
    content = clip.read_bytes()
    length = size - len(content)
    noise = random.Random(1).randbytes(_BLOCK)
    with path.open("wb") as file:
        file.write(content)
        file.write(length.to_bytes(4, "big") + b"free")
        left = length - _BOX_HEAD
        while left:
            left -= file.write(noise[:left])


def make_certificate(path: Path) -> None:
    """Write a key and its self-signed certificate for 127.0.0.1 into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "veo benchmark")])
    now = datetime.now(timezone.utc)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, decipher_only=False, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
