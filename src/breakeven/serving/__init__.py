"""What a device can do: weights, KV cache, roofline, batching. Physics, no money."""
