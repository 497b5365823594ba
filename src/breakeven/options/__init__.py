"""Ways to serve a workload, each as a cost statement: hosted API, own GPUs, edge devices."""
