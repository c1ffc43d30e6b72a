"""How the replicas of all services answer operators: the one package between contract and life."""
