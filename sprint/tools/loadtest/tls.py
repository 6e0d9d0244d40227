"""How generators speak TLS: version 1.3 or 1.2, with whom, and as whom."""

from __future__ import annotations

import ssl

from sprint.core.errors import ConfigError
from sprint.tools.loadtest.assignment import Trust


def tls_context(trust: Trust) -> ssl.SSLContext:
    """Return what TLS is spoken by; ConfigError where a file can't be used."""
    try:
        context = ssl.create_default_context(cafile=trust.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--tls-ca {trust.ca_file}: {error}") from error
    if trust.key_file and not trust.certificate_file:
        raise ConfigError("--tls-key without --tls-cert: a key belongs to a certificate")
    if trust.certificate_file:
        try:
            context.load_cert_chain(trust.certificate_file, trust.key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"--tls-cert {trust.certificate_file} --tls-key {trust.key_file}: {error}"
            ) from error
    if not trust.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
