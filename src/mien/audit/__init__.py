"""What is wrong with a data set: findings, each with its images, why it matters, what to do."""

from mien.audit.audit import audit_dataset, audit_overlap
from mien.audit.findings import Audit, Finding

__all__ = ["Audit", "Finding", "audit_dataset", "audit_overlap"]
