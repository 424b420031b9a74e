"""Ways to find a learning rate, at equal prior and equal noise: regret against cost."""
