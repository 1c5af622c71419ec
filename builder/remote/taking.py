"""Takes one output from the store: signature, digest and content hold before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from builder.archive.unpack import unpack
from builder.console import Console
from builder.errors import VerificationError
from builder.host.listing import Listing
from builder.host.removal import remove
from builder.pipeline.elsewhere import BroughtOutput, Wanted
from builder.pipeline.provenance import Provenance
from builder.pipeline.stagename import folder_of
from builder.remote import entry, reading
from builder.remote.entry import StageEntry
from builder.remote.exchange import StoreExchange
from builder.remote.keys import AcceptedKey
from builder.remote.reading import Unusable
from builder.shown import without_secrets
from builder.source.limit import ContentRefused

_ARCHIVE = "stage.tar"


@dataclass(frozen=True)
class Taker:
    """``accept``: whose entries are used.  ``aside``: where an archive is kept that is not what
    was signed."""

    exchange: StoreExchange
    accept: tuple[AcceptedKey, ...]
    console: Console
    aside: Path

    def take(self, wanted: Wanted) -> BroughtOutput | None:
        """Fill the folder with the store's output; None if the store has none.

        Raises Unusable; LocationFailed if the store does not answer as it should; OSError,
        EnvironmentFailure, Interrupted.
        """
        signed = reading.read(self.exchange, wanted.stage, wanted.key, self.accept, wanted.scratch)
        if signed is None:
            return None
        found, signer = signed.entry, signed.signer
        try:
            archive = self._fetch(wanted, found)
        except ContentRefused as fault:
            raise Unusable(str(fault)) from fault
        listing = self._unpack(wanted, found, archive)
        store = without_secrets(self.exchange.store.url)
        origin = Provenance(
            store, signer.name, signer.fingerprint, found.builder, found.made, found.seconds
        )
        return BroughtOutput(listing, found.facts, origin)

    def _fetch(self, wanted: Wanted, found: StageEntry) -> Path:
        target = wanted.scratch / _ARCHIVE
        path = entry.archive(found.stage, found.sha256)
        label = f"{wanted.stage} from the stage store"
        with self.console.progress(label, found.size, "B") as progress:
            digest = self.exchange.fetch(path, target, found.size, progress)
        if digest is None:
            raise Unusable("its archive is missing")
        if digest != found.sha256:
            kept = self._keep(wanted, target)
            raise Unusable(
                f"its archive has the SHA-256 {digest}, and {found.sha256} was signed{kept}"
            )
        return target

    def _unpack(self, wanted: Wanted, found: StageEntry, archive: Path) -> Listing:
        try:
            listing = unpack(archive, wanted.output, console=self.console, strip=0).listing
        except VerificationError as error:
            kept = self._keep(wanted, archive)
            raise Unusable(f"its archive cannot be unpacked: {error.cause}{kept}") from error
        if listing.digest != found.content:
            raise Unusable(
                f"its archive does not have what was signed{self._keep(wanted, archive)}"
            )
        return listing

    def _keep(self, wanted: Wanted, archive: Path) -> str:
        """Keep a bad archive for inspection, the last one of its stage; returns where, in words."""
        self.aside.mkdir(parents=True, exist_ok=True)
        kept = self.aside / f"{folder_of(wanted.stage)}.tar"
        remove(kept, self.aside)
        archive.rename(kept)
        return f"; kept as {kept}"
