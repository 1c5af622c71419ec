"""Archives: source trees out of tars that nobody has vouched for, single files out of .debs."""

from builder.archive.deb import extract_member
from builder.archive.unpack import Limits, Unpacked, unpack

__all__ = ["Limits", "Unpacked", "extract_member", "unpack"]
