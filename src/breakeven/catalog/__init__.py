"""What things cost and are: usage, price cards, hosted and open models, accelerators, offers, devices."""
