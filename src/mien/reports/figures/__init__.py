"""Figures that several pages or sections share: plain numbers to a Matplotlib figure."""
