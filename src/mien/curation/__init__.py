"""Audit a data set for defects that make scores wrong, and clean a copy of it."""

from mien.curation.audit import audit_dataset, audit_overlap
from mien.curation.findings import Audit, Finding

__all__ = ["Audit", "Finding", "audit_dataset", "audit_overlap"]
