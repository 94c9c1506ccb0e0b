"""Archives: dump, receipt, staged restore, swap."""
