# Without the sign test.
ModelBasedAgent.two_signs = False
