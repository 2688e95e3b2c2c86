"""TLS and SASL/SCRAM for a broker on loopback: one self-signed certificate, one user with a random password."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from connector.devservers import java
from connector.errors import BrokerUnavailable

_MECHANISM = "SCRAM-SHA-512"
_LISTENER = "listener.name.client"
_TIMEOUT = 60


@dataclass(frozen=True)
class Security:
    """The files and credentials of one broker, in `folder`; both sides of the connection use them."""

    folder: Path
    user: str = "contentwire"
    password: str = field(default_factory=secrets.token_hex, repr=False)

    def create(self) -> None:
        """Make the certificate, which clients trust directly."""
        names = ["-ext", "san=ip:127.0.0.1,dns:localhost", "-dname", "CN=localhost"]
        self._keytool("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30", *names)
        self._keytool("-exportcert", "-rfc", "-file", str(self._certificate))

    @property
    def client(self) -> dict[str, str]:
        """The librdkafka settings to connect with."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": _MECHANISM,
            "sasl.username": self.user,
            "sasl.password": self.password,
            "ssl.ca.location": str(self._certificate),
        }

    @property
    def server(self) -> dict[str, str]:
        """The properties of a broker whose client listener is called CLIENT."""
        return {
            "listener.security.protocol.map": "CLIENT:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"{_LISTENER}.ssl.keystore.location": str(self._keystore),
            f"{_LISTENER}.ssl.keystore.password": self.password,
            f"{_LISTENER}.ssl.keystore.type": "PKCS12",
            f"{_LISTENER}.sasl.enabled.mechanisms": _MECHANISM,
            f"{_LISTENER}.{_MECHANISM.lower()}.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }

    @property
    def format(self) -> list[str]:
        """The options of the storage tool that create the user."""
        return ["--add-scram", f"{_MECHANISM}=[name={self.user},password={self.password}]"]

    @property
    def _certificate(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def _keystore(self) -> Path:
        return self.folder / "broker.p12"

    def _keytool(self, *arguments: str) -> None:
        keystore = ["-alias", "broker", "-keystore", str(self._keystore), "-storepass", self.password]
        # Named as a class: the package may contain no program but the launcher.
        tool = ["-m", "java.base/sun.security.tools.keytool.Main", *arguments, *keystore]
        with java.run(tool, log=self.folder / "keytool.log") as child:
            if child.wait(_TIMEOUT) != 0:
                raise BrokerUnavailable(f"the broker's certificate could not be made:\n{child.tail()}")
