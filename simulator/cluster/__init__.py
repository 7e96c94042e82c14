"""Work on the machines of a Dask cluster: each piece in a process of its own there.

`client.py` hands it out and takes the answers; `there.py` is what a worker of the cluster does with a
piece; `process.py` is the process. Dask comes with the extra `[dask]`; nothing here imports it before a
cluster is named.
"""

from simulator.cluster.client import Answer, Cluster

__all__ = ["Answer", "Cluster"]
