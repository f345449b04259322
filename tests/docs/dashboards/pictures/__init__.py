"""Pictures of the dashboards for docs/dashboards.md: our own rendering of what a real Prometheus answered."""
