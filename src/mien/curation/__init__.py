"""What is wrong with a data set: findings, each with its images, why it matters, what to do."""

from mien.curation.audit import audit_dataset, audit_overlap
from mien.curation.findings import Audit, Finding

__all__ = ["Audit", "Finding", "audit_dataset", "audit_overlap"]
