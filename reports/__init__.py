"""From the small files that the stages leave to tables, pictures and pages.

Nothing here knows a stage, a model or a data set.
"""
