"""The names of the layers of confinement, in the order in which they are put on."""

SCRATCH_MB = 16

SESSION = "own session"
DESCRIPTORS = "closed file descriptors"
NAMESPACES = "own namespaces: empty network, private folders hidden"
PROCESS_IDS = "own process ids"
ACCESS_TIMES = "no times of access"
SCRATCH = f"scratch folder of {SCRATCH_MB} MB"
LIMITS = "limits on time, memory and files"
FIRST_TO_GO = "first to go when memory runs out"
OWN_USER = "own user id"
NO_PRIVILEGES = "no new privileges"
NO_CAPABILITIES = "no capabilities"
NOT_TRACEABLE = "not traceable"
DIES_WITH_SERVER = "dies with its server"
LANDLOCK = "landlock: no files but its own, no TCP"
SECCOMP = "seccomp: no sockets, no new processes"
