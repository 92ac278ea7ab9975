"""Matplotlib figures that several pages or sections share, drawn from plain numbers."""
