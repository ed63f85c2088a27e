# Without a look at the data: the nominal world for ever.
ModelBasedAgent.adaptive = False
