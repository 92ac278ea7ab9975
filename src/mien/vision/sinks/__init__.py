"""Sinks of readings, one module each; users import them from `mien.sinks`.

The timeline's page is written by `mien.reports`, which may import this package but not the other
way round. Its sink is in `mien.reports.timeline_sink`.
"""
