"""What is asked: workloads, traces, arrivals, growth."""
