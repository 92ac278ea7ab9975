"""Review the labels of a data set by hand, in a page: ``mien data review``.

Decisions are lines of a journal beside the manifest, and on the disk before the page hears of them.
"""
