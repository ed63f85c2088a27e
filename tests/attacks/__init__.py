"""The attack bank: what students and strangers try against a grader, run for real against this one."""
