"""Homework 4: Model-Based Reinforcement Learning."""
