"""HTTP around the pipeline: connections, endpoints, keys, admin, health and metrics."""
