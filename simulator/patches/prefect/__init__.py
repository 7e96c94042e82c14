"""The patches of Prefect: what its client and engine, its server, its database and each process need."""
