"""Makes the known answers beside this file, independently of the Rust code.

It follows the formats as the keys room documents them, on argon2-cffi (the reference C implementation) and
cryptography (OpenSSL). Run it where both are installed: python3 make_vectors.py
"""

import hashlib
import json
import struct
from base64 import urlsafe_b64encode
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

HERE = Path(__file__).parent
MASTER = bytes(range(0x40, 0x60))
PIN = b"12345678"
RECOVERY = bytes(range(0x10, 0x20))
CREATED = 1_700_000_000_000


def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def hkdf(key, salt, info, length=32):
    return HKDF(SHA256(), length, salt, info).derive(key)


def slot(typed, factor, salt, nonce, iterations):
    memory_kib, lanes = 64 * 1024, 1
    stretched = hash_secret_raw(typed, salt, iterations, memory_kib, lanes, 32, Type.ID, 0x13)
    factors = bytes([len(factor)]) + factor
    kek = hkdf(stretched, salt, b"hub key slot v1" + factors)
    header = b"\x01\x01" + factors + b"\x01" + struct.pack(">III", memory_kib, iterations, lanes)
    header += salt + struct.pack(">q", CREATED)
    return {
        "factors": [factor.decode()],
        "created": CREATED,
        "kdf": "argon2id",
        "memory_kib": memory_kib,
        "iterations": iterations,
        "lanes": lanes,
        "salt": b64(salt),
        "nonce": b64(nonce),
        "sealed": b64(AESGCM(kek).encrypt(nonce, MASTER, header)),
    }


def checked(version, body):
    text = json.dumps(body, separators=(",", ":"))
    sha256 = b64(hashlib.sha256(f"{version}\n{text}".encode()).digest())
    return f'{{"version":{version},"sha256":"{sha256}","body":{text}}}'


def text(value):
    return struct.pack(">H", len(value.encode())) + value.encode()


def vault(key):
    plain = bytes.fromhex("018bcfe56800700080000000000000ab")
    plain += bytes([0x11] * 32) + bytes([0x22] * 32) + bytes([0x33] * 32)
    plain += b"\x01" + bytes([0x44] * 32)
    plain += text("Clinique d'été")
    plain += b"\x01" + text("https://cloud.example") + text("an API key") + text("hub-7")
    nonce = bytes(range(0xC0, 0xCC))
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, plain, b"hub vault\x01")


def main():
    slots = [
        slot(PIN, b"pin", bytes(range(16)), bytes(range(0xA0, 0xAC)), 1),
        slot(RECOVERY, b"recovery", bytes(range(16, 32)), bytes(range(0xB0, 0xBC)), 2),
    ]
    body = {"master_id": b64(hkdf(MASTER, b"", b"hub master id v1", 16)), "slots": slots}
    (HERE / "keyslots.v1.json").write_text(checked(1, body))
    vault_key = hkdf(MASTER, b"", b"hub vault key v1")
    (HERE / "vault.v1.bin").write_bytes(vault(vault_key))
    numbers = struct.unpack(">8H", RECOVERY)
    answers = {
        "pin": PIN.decode(),
        "recovery": [f"{number * 11:06}" for number in numbers],
        "luks_passphrase": hkdf(MASTER, b"", b"hub luks passphrase v1").hex(),
        "store_key": hkdf(MASTER, b"", b"hub sqlcipher key v1").hex(),
        "audit_key": hkdf(MASTER, b"", b"hub audit key v1").hex(),
    }
    (HERE / "answers.json").write_text(json.dumps(answers, indent=2) + "\n")


main()
