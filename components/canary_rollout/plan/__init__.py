"""The plan: parameters, recorded state, observation, decision. Pure: no clock and no cluster."""
