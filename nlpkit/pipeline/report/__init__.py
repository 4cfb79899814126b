"""The report: figures gathered from the stages, the geometry of its charts, and the page."""
