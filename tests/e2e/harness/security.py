"""Key agreement, payload encryption and msgKey of WKProto (protocol description, section 7)."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class ClientKeys:
    """The client's key pair, before the server has answered."""

    def __init__(self, private: bytes | None = None):
        self._private = X25519PrivateKey.from_private_bytes(private) if private else X25519PrivateKey.generate()

    @property
    def public_text(self) -> str:
        return base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    def agree(self, server_key: str, salt: str) -> "Cipherer":
        peer = X25519PublicKey.from_public_bytes(base64.b64decode(server_key, validate=True))
        shared = base64.b64encode(self._private.exchange(peer))
        return Cipherer(hashlib.md5(shared).hexdigest()[:16].encode(), salt.encode())


class Cipherer:
    """AES-128-CBC with one key and one IV for the whole connection, as the protocol wants it."""

    def __init__(self, key: bytes, iv: bytes):
        if len(iv) != 16:
            raise ValueError("the salt is the IV and must be 16 characters")
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(iv))

    def encrypt(self, plain: bytes) -> bytes:
        padder = padding.PKCS7(128).padder()
        encryptor = self._cipher.encryptor()
        padded = padder.update(plain) + padder.finalize()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize())

    def decrypt(self, payload: bytes) -> bytes:
        unpadder = padding.PKCS7(128).unpadder()
        decryptor = self._cipher.decryptor()
        padded = decryptor.update(base64.b64decode(payload, validate=True)) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()

    def message_key(self, sign: bytes) -> str:
        return hashlib.md5(self.encrypt(sign)).hexdigest()


def send_sign(packet) -> bytes:
    head = f"{packet.client_seq}{packet.client_msg_no}{packet.channel_id}{packet.channel_type}"
    return head.encode(errors="surrogateescape") + packet.payload


def recv_sign(packet) -> bytes:
    head = (f"{packet.message_id}{packet.message_seq}{packet.client_msg_no}{packet.timestamp}"
            f"{packet.from_uid}{packet.channel_id}{packet.channel_type}")
    return head.encode() + packet.payload
