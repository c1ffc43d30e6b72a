"""How the replicas of all services answer operators; it uses the contract and the runtime."""
