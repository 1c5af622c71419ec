"""Archives: unpacked as if hostile."""
