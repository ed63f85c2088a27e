"""A whole class: graded overnight, scored again, looked at and exported."""
