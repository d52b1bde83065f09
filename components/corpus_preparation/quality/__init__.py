"""The quality of labelled texts: measured, judged, shown."""
