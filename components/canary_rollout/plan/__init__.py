"""What a rollout does next: parameters, recorded state, observation, decision. Pure, no clock and no cluster."""
