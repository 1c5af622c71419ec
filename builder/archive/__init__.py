"""Archives: source trees out of tars and RPMs that nobody has vouched for, files out of .debs."""

from builder.archive.deb import extract_member
from builder.archive.inner import unpack_inner
from builder.archive.unpack import Limits, Unpacked, unpack

__all__ = ["Limits", "Unpacked", "extract_member", "unpack", "unpack_inner"]
