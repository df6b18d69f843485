"""Where things are in the checkout."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "catalog"
LAYER = ROOT / "layers" / "patchbay"
PACKAGE_PATH = ROOT / "layers" / "patchbay"
SAM_BUILD = ROOT / ".aws-sam"

LOCAL = ROOT / ".local"
SAM_VENV = LOCAL / "sam"
MINISTACK_VENV = LOCAL / "ministack"


@dataclass(frozen=True)
class StateDir:
    """What one local cloud keeps between two starts."""

    root: Path = LOCAL

    @property
    def stack_file(self) -> Path:
        """How to call the API, the key included."""
        return self.root / "stack.json"

    @property
    def emulator(self) -> Path:
        """The emulator's own state."""
        return self.root / "state"

    @property
    def tls(self) -> Path:
        """The certificates of servers on this machine."""
        return self.root / "tls"

    @property
    def authority_certificate(self) -> Path:
        """PEM. The functions of this cloud trust it."""
        return self.tls / "authority.pem"

    @property
    def server_certificate(self) -> Path:
        """PEM, with its key: what a server on loopback shows to be trusted by this cloud."""
        return self.tls / "server.pem"

    @property
    def logs(self) -> Path:
        """One log file for each tool."""
        return self.root / "logs"
