"""Who is asking, and what that one may do: keys, signed tokens, limits of rate."""

from noria.serve.access.keyring import Keyring, KeyStore, hash_of, new_key
from noria.serve.access.limits import RateLimit
from noria.serve.access.principal import Permission, Principal

__all__ = ["KeyStore", "Keyring", "Permission", "Principal", "RateLimit", "hash_of", "new_key"]
