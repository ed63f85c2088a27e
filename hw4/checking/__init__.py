"""Checking an answer: public checks, worked examples and hints (given)."""
